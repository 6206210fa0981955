import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import org.apache.hadoop.hbase.Cell;
import org.apache.hadoop.hbase.CellUtil;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.*;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * Cells TABLE: every version of every cell that a client sees, in key order.
 *
 * First one line "family NAME VERSIONS" for each family, then for each cell
 * "ROW FAMILY QUALIFIER TIMESTAMP VALUE": row, qualifier and the value's SHA-1 in hex with a dot in front, so that an
 * empty one is a word too. Last "end COUNT".
 */
public class Cells {
  public static void main(String[] a) throws Exception {
    TableName name = TableName.valueOf(a[0]);
    PrintStream out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false, StandardCharsets.UTF_8);
    try (Connection connection = ConnectionFactory.createConnection(HBaseConfiguration.create());
        Table table = connection.getTable(name)) {
      for (ColumnFamilyDescriptor family : table.getDescriptor().getColumnFamilies()) {
        out.println("family " + family.getNameAsString() + " " + family.getMaxVersions());
      }
      out.println("end " + dump(table, out));
    }
    out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static long dump(Table table, PrintStream out) throws IOException, NoSuchAlgorithmException {
    MessageDigest digest = MessageDigest.getInstance("SHA-1");
    long count = 0;
    try (ResultScanner results = table.getScanner(new Scan().readAllVersions().setCaching(500).setCacheBlocks(false))) {
      for (Result result : results) {
        String row = "." + Bytes.toHex(result.getRow());
        for (Cell cell : result.rawCells()) {
          digest.update(cell.getValueArray(), cell.getValueOffset(), cell.getValueLength());
          out.println(row + " " + Bytes.toString(CellUtil.cloneFamily(cell)) + " ."
              + Bytes.toHex(CellUtil.cloneQualifier(cell)) + " " + cell.getTimestamp() + " ."
              + Bytes.toHex(digest.digest()));
          count++;
        }
      }
    }
    return count;
  }
}
