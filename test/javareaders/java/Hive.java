import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Runs Hive's command line on a Java later than 8: java Hive DIRECTORY... -- ARGUMENT...
 *
 * Hive 3 casts the class loader of the thread to a URLClassLoader, which that of the system no longer is. The directories
 * have the jars or, with no jars, configuration files or classes.
 */
public final class Hive {
  public static void main(String[] args) throws Exception {
    List<URL> path = new ArrayList<>();
    int first = 0;
    for (; !args[first].equals("--"); first++) {
      Path directory = Path.of(args[first]);
      path.add(directory.toUri().toURL());
      List<Path> jars = new ArrayList<>();
      try (DirectoryStream<Path> found = Files.newDirectoryStream(directory, "*.jar")) {
        found.forEach(jars::add);
      }
      // hive-exec contains an old Parquet, so it comes last.
      jars.sort(Comparator.comparing((Path jar) -> jar.getFileName().toString().startsWith("hive-exec")).thenComparing(jar -> jar));
      for (Path jar : jars) {
        path.add(jar.toUri().toURL());
      }
    }
    URLClassLoader loader = new URLClassLoader(path.toArray(URL[]::new), ClassLoader.getPlatformClassLoader());
    Thread.currentThread().setContextClassLoader(loader);
    String[] rest = Arrays.copyOfRange(args, first + 1, args.length);
    loader.loadClass("org.apache.hadoop.hive.cli.CliDriver").getMethod("main", String[].class).invoke(null, (Object) rest);
  }
}
