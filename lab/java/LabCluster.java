import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.LocalHBaseCluster;
import org.apache.hadoop.hbase.master.HMaster;
import org.apache.hadoop.hbase.regionserver.HRegionServer;
import org.apache.hadoop.hbase.thrift.ThriftServer;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
import org.apache.hadoop.metrics2.lib.DefaultMetricsSystem;
import org.apache.hadoop.util.ToolRunner;
import org.apache.zookeeper.server.NIOServerCnxnFactory;
import org.apache.zookeeper.server.ZooKeeperServer;

/**
 * Real HBase in one JVM, configured by the *-site.xml on the class path.
 *
 * LabCluster cluster: ZooKeeper, NameNode, DataNode, HMaster, the first HRegionServer and a Thrift1 server.
 * LabCluster server PORT INFO_PORT: one more HRegionServer; INFO_PORT -1: no pages. It has a JVM of its own because the metrics of replication
 * sources live in a JVM-wide registry: two servers in one JVM would report the sum of both queues each.
 *
 * Prints READY on stdout once everything answers. Ends on SIGTERM or SIGKILL.
 */
public class LabCluster {
  private static final long STARTED = System.currentTimeMillis();
  private static final int MAX_SESSION_MS = 900_000;

  public static void main(String[] args) {
    try {
      Configuration conf = HBaseConfiguration.create();
      if (args[0].equals("cluster")) {
        cluster(conf);
      } else {
        server(conf, Integer.parseInt(args[1]), Integer.parseInt(args[2]));
      }
    } catch (Throwable t) {
      t.printStackTrace();
      Runtime.getRuntime().halt(1);
    }
  }

  private static void cluster(Configuration conf) throws Exception {
    DefaultMetricsSystem.setMiniClusterMode(true);
    File dir = new File(conf.get("lab.dir"));
    zookeeper(conf, new File(dir, "zk"));
    say("zookeeper");
    HdfsConfiguration dfs = new HdfsConfiguration(conf);
    if (!new File(dir, "nn/current").exists()) {
      NameNode.format(dfs);
    }
    NameNode.createNameNode(new String[0], dfs);
    say("namenode");
    DataNode.createDataNode(new String[0], dfs);
    say("datanode");
    LocalHBaseCluster hbase = new LocalHBaseCluster(conf, 1, 1);
    hbase.startup();
    HMaster master = hbase.getMaster(0);
    int servers = conf.getInt("lab.regionservers", 1);
    while (!master.isInitialized() || master.getServerManager().getOnlineServersList().size() < servers) {
      Thread.sleep(50);
    }
    say("hbase");
    thrift(conf);
    say("READY");
  }

  private static void zookeeper(Configuration conf, File dir) throws Exception {
    dir.mkdirs();
    ZooKeeperServer server = new ZooKeeperServer(dir, dir, 2000);
    server.setMaxSessionTimeout(MAX_SESSION_MS); // a frozen cluster keeps its sessions and lives on when thawed
    NIOServerCnxnFactory factory = new NIOServerCnxnFactory();
    int port = conf.getInt("hbase.zookeeper.property.clientPort", 0);
    factory.configure(new InetSocketAddress("127.0.0.1", port), 300);
    factory.startup(server);
  }

  private static void thrift(Configuration conf) throws Exception {
    int port = conf.getInt("hbase.regionserver.thrift.port", 0);
    String[] args = {"start", "--bind", "127.0.0.1", "-p", "" + port, "--infoport", "-1"};
    Thread thread = new Thread(() -> {
      try {
        ToolRunner.run(conf, new ThriftServer(conf), args);
      } catch (Exception e) {
        e.printStackTrace();
      }
    }, "thrift");
    thread.setDaemon(true);
    thread.start();
    awaitPort(port);
  }

  private static void server(Configuration conf, int port, int infoPort) throws Exception {
    awaitPort(conf.getInt("hbase.zookeeper.property.clientPort", 0));
    conf.setInt("hbase.regionserver.port", port);
    conf.setInt("hbase.regionserver.info.port", infoPort);
    HRegionServer server = new HRegionServer(conf);
    Thread ready = new Thread(() -> {
      while (!server.isOnline()) {
        pause();
      }
      say("READY");
    });
    ready.setDaemon(true);
    ready.start();
    server.run();
    Runtime.getRuntime().halt(0);
  }

  private static void awaitPort(int port) {
    while (true) {
      try (Socket socket = new Socket()) {
        socket.connect(new InetSocketAddress("127.0.0.1", port), 1000);
        return;
      } catch (IOException e) {
        pause();
      }
    }
  }

  private static void pause() {
    try {
      Thread.sleep(50);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void say(String what) {
    System.out.println(what + " " + (System.currentTimeMillis() - STARTED));
    System.out.flush();
  }
}
