import java.io.IOException;
import java.util.Arrays;

/**
 * Owned MAIN [arguments]: runs MAIN and ends the JVM as soon as standard input ends, so that a killed owner, whose
 * end of that pipe the kernel closes, leaves no server behind.
 */
public class Owned {
  public static void main(String[] args) throws Exception {
    Thread watch = new Thread(() -> {
      try {
        while (System.in.read() >= 0) { }
      } catch (IOException e) {
        // the owner is gone as well
      }
      Runtime.getRuntime().halt(0);
    }, "owner");
    watch.setDaemon(true);
    watch.start();
    String[] rest = Arrays.copyOfRange(args, 1, args.length);
    Class.forName(args[0]).getMethod("main", String[].class).invoke(null, (Object) rest);
  }
}
