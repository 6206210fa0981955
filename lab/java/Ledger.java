import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What must stand in the workload's table, as a file of lines that only grows.
 *
 *   seed S              first line
 *   l ROWS TIME         rows 0..ROWS-1 are about to be put whole at TIME;      L  the servers acknowledged it
 *   KIND ROW TIME       an operation about to be sent: p put whole, o overwrite d:n, x delete the row,
 *                       f delete family m, c delete column d:n; TIME is its timestamp and is unique;
 *                       s replace d:s by VERSIONS versions at TIME, TIME+1, ..., q delete the version TIME of d:s
 *   e                   the batch stands on disk whole and is sent now
 *   a | u               the servers acknowledged the batch | nobody knows
 *
 * Invariant: an operation is on disk before it is sent. A batch without `a` may have happened or not, so for its
 * cells both values are allowed until a later acknowledged operation on the same cell settles it.
 *
 * Of d:s the ledger knows the newest version. The first of each set has a TIME that STEP divides, so the newest one
 * tells how many are left below it: deleting it brings the one before to light.
 */
class Ledger implements Closeable {
  static final String[] COLUMNS = {"d:v", "d:n", "m:w", "d:s"};
  static final int V = 0, N = 1, W = 2, S = 3, WIDTH = 4;
  static final int VERSIONS = 3, STEP = 4;
  private static final int VALUE_LENGTH = 140, SHORT_LENGTH = 24;
  private static final long SPREAD = 0x9E3779B1L; // odd, so multiplication mod 2^32 maps row numbers one to one

  long seed;
  int rows;
  boolean loaded;
  long last;
  private long[] settled = new long[WIDTH * 1024];
  private final Map<Integer, List<Long>> open = new HashMap<>();
  private RandomAccessFile file;

  /** One operation on one row. */
  record Op(char kind, int row, long time) {
    int[] cells() {
      switch (kind) {
        case 'o': case 'c': return new int[] {N};
        case 'f': return new int[] {W};
        case 's': case 'q': return new int[] {S};
        case 'x': return new int[] {V, N, W, S};
        default: return new int[] {V, N, W};
      }
    }

    boolean deletes() {
      return kind == 'x' || kind == 'f' || kind == 'c' || kind == 'q';
    }

    /** The newest timestamp this operation gives a cell. */
    long newest() {
      return kind == 's' ? time + VERSIONS - 1 : time;
    }

    /** The timestamp of what stands in its cells afterwards; 0: nothing. */
    long leaves() {
      return kind == 'q' ? time % STEP == 0 ? 0 : time - 1 : deletes() ? 0 : newest();
    }
  }

  static Ledger read(Path path) throws IOException {
    Ledger ledger = new Ledger();
    try (BufferedReader lines = Files.newBufferedReader(path)) {
      ledger.seed = Long.parseLong(lines.readLine().substring("seed ".length()));
      ledger.replay(lines);
    }
    return ledger;
  }

  /** Opens for appending, creating it with `seed` where it does not exist. One writer at a time. */
  static Ledger append(Path path, long seed) throws IOException {
    if (!Files.exists(path)) {
      Files.writeString(path, "seed " + seed + "\n");
    }
    RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw");
    FileLock lock = file.getChannel().tryLock();
    if (lock == null) {
      throw new IOException(path + " is being written by another workload");
    }
    dropPartialLine(file);
    Ledger ledger = read(path);
    ledger.file = file;
    file.seek(file.length());
    return ledger;
  }

  private static void dropPartialLine(RandomAccessFile file) throws IOException {
    long end = file.length();
    while (end > 0) {
      file.seek(end - 1);
      if (file.read() == '\n') {
        break;
      }
      end--;
    }
    file.setLength(end);
  }

  private void replay(BufferedReader lines) throws IOException {
    List<Op> batch = new ArrayList<>();
    boolean sent = false;
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (line.isEmpty()) {
        continue;
      }
      char kind = line.charAt(0);
      if (kind == 'a' || kind == 'u') {
        apply(batch, kind == 'a');
        batch.clear();
        sent = false;
      } else if (kind == 'e') {
        sent = true;
      } else if (kind == 'l') {
        String[] part = line.split(" ");
        load(Integer.parseInt(part[1]), Long.parseLong(part[2]));
      } else if (kind == 'L') {
        loaded = true;
      } else {
        if (sent) { // a batch that a killed writer sent and never settled
          apply(batch, false);
          batch.clear();
          sent = false;
        }
        String[] part = line.split(" ");
        if (part.length == 3 && !part[2].isEmpty()) {
          batch.add(new Op(kind, Integer.parseInt(part[1]), Long.parseLong(part[2])));
        }
      }
    }
    if (sent) {
      apply(batch, false);
    }
  }

  void beginLoad(int count, long time) throws IOException {
    write("l " + count + " " + time + "\n");
    load(count, time);
  }

  void endLoad() throws IOException {
    write("L\n");
    loaded = true;
  }

  private void load(int count, long time) {
    for (int row = 0; row < count; row++) {
      settle(new Op('p', row, time));
    }
  }

  void intend(List<Op> batch) throws IOException {
    StringBuilder text = new StringBuilder();
    for (Op op : batch) {
      text.append(op.kind).append(' ').append(op.row).append(' ').append(op.time).append('\n');
    }
    write(text.append("e\n").toString());
  }

  void settle(List<Op> batch, boolean acknowledged) throws IOException {
    write(acknowledged ? "a\n" : "u\n");
    apply(batch, acknowledged);
  }

  private void apply(List<Op> batch, boolean acknowledged) {
    for (Op op : batch) {
      if (acknowledged) {
        settle(op);
      } else {
        leaveOpen(op);
      }
    }
  }

  private void settle(Op op) {
    grow(op);
    for (int column : op.cells()) {
      settled[op.row * WIDTH + column] = op.leaves();
      open.remove(op.row * WIDTH + column);
    }
  }

  private void leaveOpen(Op op) {
    grow(op);
    for (int column : op.cells()) {
      open.computeIfAbsent(op.row * WIDTH + column, cell -> new ArrayList<>()).add(op.leaves());
    }
  }

  private void grow(Op op) {
    rows = Math.max(rows, op.row + 1);
    last = Math.max(last, op.newest());
    if (settled.length < rows * WIDTH) {
      settled = Arrays.copyOf(settled, rows * WIDTH * 2);
    }
  }

  /** The timestamp that must stand in a cell; 0: nothing. */
  long must(int row, int column) {
    return settled[row * WIDTH + column];
  }

  boolean allowed(int row, int column, long time) {
    return must(row, column) == time || open.getOrDefault(row * WIDTH + column, List.of()).contains(time);
  }

  boolean absent(int row) {
    return must(row, V) == 0 && must(row, N) == 0 && must(row, W) == 0;
  }

  /** Whether somebody knows what stands in a cell. */
  boolean certain(int row, int column) {
    return !open.containsKey(row * WIDTH + column);
  }

  int openCells() {
    return open.size();
  }

  static String key(int row) {
    return String.format("%08x", (row * SPREAD) & 0xffffffffL);
  }

  /** Row key -> row number; -1 for a key this workload never writes. */
  int rowOf(byte[] buffer, int offset, int length) {
    if (length != 8) {
      return -1;
    }
    long key = 0;
    for (int i = 0; i < 8; i++) {
      int digit = Character.digit(buffer[offset + i], 16);
      if (digit < 0) {
        return -1;
      }
      key = key << 4 | digit;
    }
    long row = (key * INVERSE) & 0xffffffffL;
    return row < rows ? (int) row : -1;
  }

  private static final long INVERSE = inverse();

  private static long inverse() {
    long x = SPREAD; // Newton's iteration doubles the correct low bits each round
    for (int i = 0; i < 5; i++) {
      x = x * (2 - SPREAD * x) & 0xffffffffL;
    }
    return x;
  }

  byte[] value(int row, int column, long time) {
    int length = column == V ? VALUE_LENGTH : SHORT_LENGTH;
    StringBuilder text = new StringBuilder(length + 16).append(time).append(':');
    long state = seed ^ (row * 0x9E3779B97F4A7C15L) ^ (time * 31 + column);
    while (text.length() < length) {
      state += 0x9E3779B97F4A7C15L;
      long z = (state ^ (state >>> 30)) * 0xBF58476D1CE4E5B9L;
      text.append(Long.toHexString(z ^ (z >>> 27)));
    }
    text.setLength(length);
    return text.toString().getBytes(StandardCharsets.US_ASCII);
  }

  private void write(String text) throws IOException {
    file.write(text.getBytes(StandardCharsets.US_ASCII));
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
