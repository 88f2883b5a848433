import java.io.FileInputStream;
import java.util.zip.GZIPInputStream;

/** Prints what Java reads from a gzip file: java Gunzip.java FILE. */
public class Gunzip {
    public static void main(String[] args) throws Exception {
        try (GZIPInputStream in = new GZIPInputStream(new FileInputStream(args[0]))) {
            in.transferTo(System.out);
        }
        System.out.flush();
    }
}
