import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HexFormat;
import java.util.Properties;

/**
 * Runs SQL statements over JDBC: java Jdbc URL NAME=VALUE... -- STATEMENT...
 *
 * Prints each row as the statement's number and its values, with tabs between. Bytes are hexadecimal.
 */
public final class Jdbc {
  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    int first = 1;
    for (; !args[first].equals("--"); first++) {
      String[] property = args[first].split("=", 2);
      properties.setProperty(property[0], property[1]);
    }
    first++;
    try (Connection connection = DriverManager.getConnection(args[0], properties)) {
      for (int i = first; i < args.length; i++) {
        run(connection, i - first, args[i]);
      }
    }
    System.exit(0); // the client's threads would keep the process running
  }

  private static void run(Connection connection, int number, String text) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      if (!statement.execute(text)) {
        return;
      }
      ResultSet rows = statement.getResultSet();
      int columns = rows.getMetaData().getColumnCount();
      while (rows.next()) {
        StringBuilder line = new StringBuilder().append(number);
        for (int k = 1; k <= columns; k++) {
          line.append('\t').append(text(rows.getObject(k)));
        }
        System.out.println(line);
      }
    } catch (SQLException e) {
      throw new SQLException(text + ": " + e.getMessage(), e);
    }
  }

  private static String text(Object value) {
    if (value instanceof byte[] bytes) {
      return HexFormat.of().formatHex(bytes);
    }
    return value instanceof BigDecimal number ? number.toPlainString() : String.valueOf(value);
  }
}
