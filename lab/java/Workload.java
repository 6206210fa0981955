import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.Cell;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.HRegionLocation;
import org.apache.hadoop.hbase.NamespaceDescriptor;
import org.apache.hadoop.hbase.NamespaceExistException;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.*;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * A seeded writer with a ledger, and the check that names every row the ledger does not find again.
 *
 *   Workload create TABLE REGIONS MAX_VERSIONS
 *   Workload load   TABLE LEDGER SEED ROWS
 *   Workload live   TABLE LEDGER SEED OPERATIONS_PER_SECOND STOPFILE MAX_VERSIONS
 *                   ends when STOPFILE exists, and with -Dlab.owned=true when stdin ends
 *   Workload check  TABLE LEDGER FAMILIES                 FAMILIES: d,m; exit code 1 on any difference
 *   Workload incompatible TABLE KINDS                     KINDS: delete,overflow,future; see incompatible
 *
 * Timestamps are given by the client and strictly grow, so a put after a delete is never hidden by it. With
 * MAX_VERSIONS above 1 `live` also writes sets of versions (d:s) and deletes single ones, and its timestamps lie a
 * little in the past: Google's replication library drops a family delete whose time lies after the write's.
 */
public class Workload {
  private static final byte[] D = Bytes.toBytes("d"), M = Bytes.toBytes("m");
  private static final int BATCHES_PER_SECOND = 20, CHECK_THREADS = 4, BACK_MS = 2000;
  private static final List<Integer> SETS = new ArrayList<>();

  public static void main(String[] a) throws Exception {
    Configuration conf = HBaseConfiguration.create();
    TableName table = TableName.valueOf(a[1]);
    int code = 0;
    try (Connection connection = ConnectionFactory.createConnection(conf)) {
      switch (a[0]) {
        case "create": create(connection, table, Integer.parseInt(a[2]), Integer.parseInt(a[3])); break;
        case "load": load(connection, table, Path.of(a[2]), Long.parseLong(a[3]), Integer.parseInt(a[4])); break;
        case "live": live(connection, table, Path.of(a[2]), Long.parseLong(a[3]), Integer.parseInt(a[4]), Path.of(a[5]),
            Integer.parseInt(a[6]) > 1);
          break;
        case "incompatible": incompatible(connection, table, List.of(a[2].split(","))); break;
        case "check": code = new Check(Ledger.read(Path.of(a[2])), List.of(a[3].split(","))).run(connection, table); break;
        default: throw new IllegalArgumentException(a[0]);
      }
    }
    System.out.flush();
    Runtime.getRuntime().halt(code);
  }

  private static void create(Connection connection, TableName table, int regions, int versions) throws IOException {
    try (Admin admin = connection.getAdmin()) {
      try {
        admin.createNamespace(NamespaceDescriptor.create(table.getNamespaceAsString()).build());
      } catch (NamespaceExistException e) {
        // as asked
      }
      byte[][] splits = new byte[regions - 1][];
      for (int i = 1; i < regions; i++) {
        splits[i - 1] = Bytes.toBytes(String.format("%08x", (0x100000000L / regions) * i));
      }
      admin.createTable(TableDescriptorBuilder.newBuilder(table)
          .setColumnFamily(ColumnFamilyDescriptorBuilder.newBuilder(D).setMaxVersions(versions).build())
          .setColumnFamily(ColumnFamilyDescriptorBuilder.newBuilder(M).setMaxVersions(versions).build()).build(), splits);
    }
    System.out.println("{\"regions\":" + regions + "}");
  }

  private static void load(Connection connection, TableName table, Path path, long seed, int rows) throws IOException {
    long begun = System.currentTimeMillis();
    try (Ledger ledger = Ledger.append(path, seed)) {
      long time = Math.max(begun, ledger.last + 1);
      ledger.beginLoad(rows, time);
      try (BufferedMutator mutator = connection.getBufferedMutator(table)) {
        for (int row = 0; row < rows; row++) {
          mutator.mutate(put(ledger, new Ledger.Op('p', row, time)));
        }
      }
      ledger.endLoad();
    }
    System.out.printf("{\"rows\":%d,\"ms\":%d}%n", rows, System.currentTimeMillis() - begun);
  }

  private static void live(Connection connection, TableName name, Path path, long seed, int rate, Path stop,
      boolean versioned) throws Exception {
    long puts = 0, overwrites = 0, deletes = 0, versions = 0, points = 0, unknown = 0;
    long begun = System.currentTimeMillis();
    watchInput(stop);
    try (Ledger ledger = Ledger.append(path, seed); Table table = connection.getTable(name)) {
      if (!ledger.loaded && ledger.rows > 0) {
        throw new IOException("the load in " + path + " was never acknowledged; load again into a new table");
      }
      Random random = new Random(seed ^ ledger.last);
      int size = Math.max(1, rate / BATCHES_PER_SECOND);
      long due = System.nanoTime();
      boolean told = false;
      while (!Files.exists(stop)) {
        List<Ledger.Op> batch = choose(ledger, random, size, versioned);
        ledger.intend(batch);
        boolean acknowledged = send(table, ledger, batch);
        ledger.settle(batch, acknowledged);
        for (Ledger.Op op : batch) {
          if (!acknowledged) unknown++;
          else if (op.kind() == 's') versions++;
          else if (op.kind() == 'q') points++;
          else if (op.deletes()) deletes++;
          else if (op.kind() == 'o') overwrites++;
          else puts++;
        }
        if (acknowledged && !told) {
          System.out.println("LIVE");
          told = true;
        }
        due = Math.max(due + size * 1_000_000_000L / rate, System.nanoTime() - 1_000_000_000L);
        Thread.sleep(acknowledged ? Math.max(0, (due - System.nanoTime()) / 1_000_000) : 500);
      }
      System.out.printf("{\"puts\":%d,\"overwrites\":%d,\"deletes\":%d,\"versions\":%d,\"point_deletes\":%d,"
          + "\"unknown\":%d,\"ms\":%d,\"rows\":%d}%n", puts, overwrites, deletes, versions, points, unknown,
          System.currentTimeMillis() - begun, ledger.rows);
    }
  }

  private static List<Ledger.Op> choose(Ledger ledger, Random random, int size, boolean versioned)
      throws InterruptedException {
    List<Ledger.Op> batch = new ArrayList<>();
    Set<Integer> taken = new HashSet<>();
    long time = Math.max(System.currentTimeMillis() - (versioned ? BACK_MS : 0), ledger.last + 1);
    if (versioned) {
      Thread.sleep(Math.max(0, time + 2L * Ledger.STEP * size - System.currentTimeMillis()));
    }
    int fresh = ledger.rows;
    while (batch.size() < size) {
      int dice = random.nextInt(100);
      Ledger.Op op = versioned && dice >= 80 ? versioned(ledger, random, time) : null;
      if (op == null) {
        boolean isNew = dice < 10 || ledger.rows < size * 2;
        int row = isNew ? fresh++ : random.nextInt(ledger.rows);
        op = new Ledger.Op(isNew || ledger.absent(row) ? 'p' : kind(random.nextInt(90) + 10), row, time);
      }
      if (taken.add(op.row())) {
        batch.add(op);
        time = Math.max(time, op.newest()) + 1;
      }
    }
    return batch;
  }

  private static char kind(int dice) {
    return dice < 40 ? 'p' : dice < 70 ? 'o' : dice < 84 ? 'x' : dice < 92 ? 'f' : 'c';
  }

  /** A new set of versions, or the deletion of the newest version in one of the last sets; null: no row yet. */
  private static Ledger.Op versioned(Ledger ledger, Random random, long time) {
    if (ledger.rows == 0) {
      return null;
    }
    if (SETS.size() > 20 && random.nextBoolean()) {
      int row = SETS.get(random.nextInt(SETS.size()));
      long newest = ledger.must(row, Ledger.S);
      return newest != 0 && ledger.certain(row, Ledger.S) ? new Ledger.Op('q', row, newest) : null;
    }
    int row = random.nextInt(ledger.rows);
    SETS.add(row);
    if (SETS.size() > 500) {
      SETS.remove(0);
    }
    return new Ledger.Op('s', row, (time + Ledger.STEP - 1) / Ledger.STEP * Ledger.STEP);
  }

  private static boolean send(Table table, Ledger ledger, List<Ledger.Op> batch)
      throws IOException, InterruptedException {
    List<Row> rows = new ArrayList<>();
    for (Ledger.Op op : batch) {
      rows.add(op.kind() == 's' ? versions(ledger, op) : op.deletes() ? delete(op) : put(ledger, op));
    }
    Object[] results = new Object[rows.size()];
    try {
      table.batch(rows, results);
    } catch (IOException e) {
      System.err.println("a batch of " + batch.size() + " was not acknowledged: " + e);
      return false;
    }
    return Arrays.stream(results).allMatch(result -> result instanceof Result);
  }

  private static Put put(Ledger ledger, Ledger.Op op) {
    Put put = new Put(Bytes.toBytes(Ledger.key(op.row())));
    for (int column : op.cells()) {
      put.addColumn(family(column), qualifier(column), op.time(), ledger.value(op.row(), column, op.time()));
    }
    return put;
  }

  /** One atomic change: what stood in d:s goes, and the new versions come. */
  private static RowMutations versions(Ledger ledger, Ledger.Op op) throws IOException {
    byte[] key = Bytes.toBytes(Ledger.key(op.row())), s = qualifier(Ledger.S);
    Put put = new Put(key);
    for (int i = 0; i < Ledger.VERSIONS; i++) {
      put.addColumn(D, s, op.time() + i, ledger.value(op.row(), Ledger.S, op.time() + i));
    }
    return RowMutations.of(List.of(new Delete(key).addColumns(D, s, op.time() - 1), put));
  }

  private static Delete delete(Ledger.Op op) {
    Delete delete = new Delete(Bytes.toBytes(Ledger.key(op.row())));
    switch (op.kind()) {
      case 'x': return delete.addFamily(D, op.time()).addFamily(M, op.time());
      case 'f': return delete.addFamily(M, op.time());
      case 'q': return delete.addColumn(D, qualifier(Ledger.S), op.time());
      default: return delete.addColumns(D, qualifier(Ledger.N), op.time());
    }
  }

  /**
   * Writes what Bigtable cannot take over as it is, in rows of its own that no ledger knows:
   * delete: two plain puts; then the whole row, one version of a family, a family up to 2023, one version of a column.
   * overflow: Long.MAX_VALUE minus now, as reversed times are, and the last time before and the first after the overflow.
   * future: a put of tomorrow.
   */
  private static void incompatible(Connection connection, TableName name, List<String> kinds) throws IOException {
    long now = System.currentTimeMillis(), edge = Long.MAX_VALUE / 1000;
    byte[] q = Bytes.toBytes("q");
    try (Table table = connection.getTable(name)) {
      if (kinds.contains("delete")) {
        byte[] whole = Bytes.toBytes("incompatible-row"), part = Bytes.toBytes("incompatible-family");
        table.put(new Put(whole).addColumn(D, q, Bytes.toBytes("d")).addColumn(M, q, Bytes.toBytes("m")));
        table.put(new Put(part).addColumn(D, q, 5, Bytes.toBytes("5")).addColumn(M, q, 5, Bytes.toBytes("5")));
        table.delete(new Delete(whole));
        table.delete(new Delete(part).addFamilyVersion(D, 5));
        table.delete(new Delete(part).addFamily(M, 1_700_000_000_000L));
        table.delete(new Delete(part).addColumn(D, q, 4));
      }
      if (kinds.contains("overflow")) {
        byte[] row = Bytes.toBytes("incompatible-time");
        for (long time : new long[] {Long.MAX_VALUE - now, edge - 1, edge + 1}) {
          table.put(new Put(row).addColumn(D, q, time, Bytes.toBytes("at " + time)));
        }
      }
      if (kinds.contains("future")) {
        byte[] row = Bytes.toBytes("incompatible-future");
        table.put(new Put(row).addColumn(D, q, now + 86_400_000L, Bytes.toBytes("tomorrow")));
      }
    }
    System.out.println("{\"kinds\":" + kinds.size() + "}");
  }

  static byte[] family(int column) {
    return column == Ledger.W ? M : D;
  }

  static byte[] qualifier(int column) {
    return Bytes.toBytes(Ledger.COLUMNS[column].substring(2));
  }

  private static void watchInput(Path stop) {
    if (!Boolean.getBoolean("lab.owned")) {
      return;
    }
    Thread watch = new Thread(() -> {
      try {
        while (System.in.read() >= 0) { }
        Files.writeString(stop, "");
      } catch (IOException e) {
        Runtime.getRuntime().halt(3);
      }
    });
    watch.setDaemon(true);
    watch.start();
  }

  /** One pass over the table, a region at a time on several threads, compared with the ledger in memory. */
  private static class Check {
    private final Ledger ledger;
    private final List<String> families;
    private final byte[] seen;
    private final AtomicLong bad = new AtomicLong(), scanned = new AtomicLong();

    Check(Ledger ledger, List<String> families) {
      this.ledger = ledger;
      this.families = families;
      this.seen = new byte[ledger.rows * Ledger.WIDTH];
    }

    int run(Connection connection, TableName name) throws Exception {
      long begun = System.currentTimeMillis();
      ExecutorService pool = Executors.newFixedThreadPool(CHECK_THREADS);
      List<Future<?>> parts = new ArrayList<>();
      try (RegionLocator locator = connection.getRegionLocator(name)) {
        for (HRegionLocation location : locator.getAllRegionLocations()) {
          RegionInfo region = location.getRegion();
          parts.add(pool.submit(() -> { scan(connection, name, region); return null; }));
        }
      }
      for (Future<?> part : parts) {
        part.get();
      }
      long expected = missing();
      System.out.printf("{\"summary\":true,\"expected_rows\":%d,\"scanned_rows\":%d,\"bad\":%d,\"open_cells\":%d,\"ms\":%d}%n",
          expected, scanned.get(), bad.get(), ledger.openCells(), System.currentTimeMillis() - begun);
      return bad.get() > 0 ? 1 : 0;
    }

    private void scan(Connection connection, TableName name, RegionInfo region) throws IOException {
      Scan scan = new Scan().withStartRow(region.getStartKey()).withStopRow(region.getEndKey()).setCaching(1000);
      scan.setCacheBlocks(false);
      families.forEach(family -> scan.addFamily(Bytes.toBytes(family)));
      try (Table table = connection.getTable(name); ResultScanner results = table.getScanner(scan)) {
        for (Result result : results) {
          scanned.incrementAndGet();
          for (Cell cell : result.rawCells()) {
            compare(cell);
          }
        }
      }
    }

    private void compare(Cell cell) {
      int row = ledger.rowOf(cell.getRowArray(), cell.getRowOffset(), cell.getRowLength());
      int column = column(cell);
      if (row < 0 || column < 0) {
        String key = Bytes.toStringBinary(cell.getRowArray(), cell.getRowOffset(), cell.getRowLength());
        String foreign = Bytes.toStringBinary(cell.getFamilyArray(), cell.getFamilyOffset(), cell.getFamilyLength());
        report(key, foreign, "foreign", 0, cell.getTimestamp());
        return;
      }
      seen[row * Ledger.WIDTH + column] = 1;
      long time = cell.getTimestamp(), must = ledger.must(row, column);
      if (!ledger.allowed(row, column, time)) {
        report(Ledger.key(row), Ledger.COLUMNS[column], must == 0 ? "deleted" : "wrong", must, time);
        return;
      }
      byte[] value = ledger.value(row, column, time);
      if (!Bytes.equals(value, 0, value.length, cell.getValueArray(), cell.getValueOffset(), cell.getValueLength())) {
        report(Ledger.key(row), Ledger.COLUMNS[column], "wrong", must, time);
      }
    }

    private static int column(Cell cell) {
      for (int column = 0; column < Ledger.WIDTH; column++) {
        byte[] family = family(column), qualifier = qualifier(column);
        if (Bytes.equals(cell.getFamilyArray(), cell.getFamilyOffset(), cell.getFamilyLength(), family, 0, family.length)
            && Bytes.equals(cell.getQualifierArray(), cell.getQualifierOffset(), cell.getQualifierLength(), qualifier, 0,
            qualifier.length)) {
          return column;
        }
      }
      return -1;
    }

    private long missing() {
      long expected = 0;
      for (int row = 0; row < ledger.rows; row++) {
        boolean wanted = false;
        for (int column = 0; column < Ledger.WIDTH; column++) {
          if (!families.contains(Ledger.COLUMNS[column].substring(0, 1))) {
            continue;
          }
          wanted |= ledger.must(row, column) != 0;
          if (seen[row * Ledger.WIDTH + column] == 0 && !ledger.allowed(row, column, 0)) {
            report(Ledger.key(row), Ledger.COLUMNS[column], "missing", ledger.must(row, column), 0);
          }
        }
        expected += wanted ? 1 : 0;
      }
      return expected;
    }

    /** `problem`: missing | wrong | deleted (stands there though deleted) | foreign (never written by this workload). */
    private void report(String row, String column, String problem, long expected, long found) {
      bad.incrementAndGet();
      String safe = row.replace("\\", "\\\\").replace("\"", "\\\"");
      synchronized (this) {
        System.out.printf("{\"row\":\"%s\",\"column\":\"%s\",\"problem\":\"%s\",\"expected\":%d,\"found\":%d}%n", safe,
            column, problem, expected, found);
      }
    }
  }
}
