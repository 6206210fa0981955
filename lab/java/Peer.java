import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.*;
import org.apache.hadoop.hbase.replication.ReplicationPeerConfig;
import org.apache.hadoop.hbase.replication.ReplicationPeerConfigBuilder;

/**
 * A replication peer with an endpoint class of its own, by HBase's own Admin.
 *
 *   Peer add ID CLASS CLUSTER_KEY TABLE[,TABLE ...] [KEY=VALUE ...]   born DISABLED; the rest is its CONFIG
 *   Peer enable | disable | remove ID
 *   Peer scope SCOPE TABLE [TABLE ...]                                of every family
 */
public class Peer {
  public static void main(String[] a) throws Exception {
    try (Connection connection = ConnectionFactory.createConnection(HBaseConfiguration.create());
        Admin admin = connection.getAdmin()) {
      switch (a[0]) {
        case "add": admin.addReplicationPeer(a[1], config(a), false); break;
        case "enable": admin.enableReplicationPeer(a[1]); break;
        case "disable": admin.disableReplicationPeer(a[1]); break;
        case "remove": admin.removeReplicationPeer(a[1]); break;
        case "scope":
          for (int i = 2; i < a.length; i++) {
            scope(admin, TableName.valueOf(a[i]), Integer.parseInt(a[1]));
          }
          break;
        default: throw new IllegalArgumentException(a[0]);
      }
    }
    Runtime.getRuntime().halt(0);
  }

  private static ReplicationPeerConfig config(String[] a) {
    Map<TableName, List<String>> tables = new HashMap<>();
    for (String table : a[4].split(",")) {
      tables.put(TableName.valueOf(table), List.of());
    }
    ReplicationPeerConfigBuilder builder = ReplicationPeerConfig.newBuilder().setClusterKey(a[3])
        .setReplicationEndpointImpl(a[2]).setReplicateAllUserTables(false).setTableCFsMap(tables);
    for (int i = 5; i < a.length; i++) {
      String[] pair = a[i].split("=", 2);
      builder.putConfiguration(pair[0], pair[1]);
    }
    return builder.build();
  }

  private static void scope(Admin admin, TableName table, int scope) throws Exception {
    TableDescriptorBuilder builder = TableDescriptorBuilder.newBuilder(admin.getDescriptor(table));
    for (ColumnFamilyDescriptor family : admin.getDescriptor(table).getColumnFamilies()) {
      builder.modifyColumnFamily(ColumnFamilyDescriptorBuilder.newBuilder(family).setScope(scope).build());
    }
    admin.modifyTable(builder.build());
  }
}
