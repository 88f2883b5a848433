import java.io.File;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.*;
import java.util.zip.CRC32C;
import org.apache.avro.Protocol;
import org.apache.avro.Schema;
import org.apache.avro.compiler.idl.Idl;
import org.apache.avro.generic.*;
import org.apache.avro.ipc.generic.GenericRequestor;
import org.apache.avro.ipc.netty.NettyTransceiver;

/** Delivers a file with Avro's own client, knowing nothing but protocol.avdl: Sender AVDL PORT FILE. */
public class Sender {
  static final int LINES = 100;

  public static void main(String[] args) throws Exception {
    Protocol protocol;
    try (Idl idl = new Idl(new File(args[0]))) {
      protocol = idl.CompilationUnit();
    }
    byte[] log = Files.readAllBytes(Path.of(args[2]));
    NettyTransceiver transceiver = new NettyTransceiver(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[1])), 10000);
    try {
      GenericRequestor collector = new GenericRequestor(protocol, transceiver);
      GenericData.Fixed id = new GenericData.Fixed(type(protocol, "StreamId"), new byte[] {0, 0, 0, 0, 0, 0, 0, 7});
      GenericRecord stream = record(protocol, "Stream", "id", id, "seed", ByteBuffer.allocate(0), "path", "/var/log/access.log", "format", "combined", "zone", "",
          "labels", Map.of("site", "a"), "firstLine", ByteBuffer.allocate(0), "size", (long) log.length, "stored", 0L);
      GenericRecord welcome = call(protocol, collector, "hello", record(protocol, "Hello",
          "host", "web01", "agent", "Sender.java", "labels", Map.of(), "streams", List.of(stream)));
      System.out.println("welcome " + welcome.get("collector"));
      for (int start = 0; start < log.length;) {
        int end = start, lines = 0;
        while (end < log.length && lines < LINES) {
          if (log[end++] == '\n') lines++;
        }
        CRC32C crc = new CRC32C();
        crc.update(log, start, end - start);
        GenericRecord receipt = call(protocol, collector, "append", record(protocol, "Batch", "stream", id, "start", (long) start, "end", (long) end, "lines", lines,
            "compression", new GenericData.EnumSymbol(type(protocol, "Compression"), "NONE"), "crc", (int) crc.getValue(), "body", ByteBuffer.wrap(log, start, end - start)));
        if (!receipt.get("status").toString().equals("OK") || (long) receipt.get("received") != end) throw new Exception("receipt " + receipt);
        start = end;
      }
      GenericRecord progress = record(protocol, "Progress", "stream", id, "size", (long) log.length, "read", (long) log.length, "oldestUnreadMs", 0L);
      GenericRecord governor = record(protocol, "Governor", "budget", 0L, "pausedSinceMs", 0L, "reason", "");
      System.out.println("directive " + call(protocol, collector, "status", record(protocol, "Heartbeat", "host", "web01", "timeMs", 1L,
          "streams", List.of(progress), "governor", governor, "counters", Map.of("lines", 1L), "troubles", List.of())));
    } finally {
      transceiver.close();
    }
  }

  static Schema type(Protocol protocol, String name) {
    return protocol.getType(protocol.getNamespace() + "." + name);
  }

  static GenericRecord record(Protocol protocol, String type, Object... fields) {
    GenericRecord r = new GenericData.Record(type(protocol, type));
    for (int i = 0; i < fields.length; i += 2) r.put((String) fields[i], fields[i + 1]);
    return r;
  }

  static GenericRecord call(Protocol protocol, GenericRequestor collector, String message, GenericRecord parameter) throws Exception {
    GenericRecord request = new GenericData.Record(protocol.getMessages().get(message).getRequest());
    request.put(0, parameter);
    return (GenericRecord) collector.request(message, request);
  }
}
