package org.apache.hadoop.hive.ql.exec;

import java.util.ArrayList;
import java.util.List;
import org.apache.hive.com.esotericsoftware.kryo.Kryo;
import org.apache.hive.com.esotericsoftware.kryo.Serializer;
import org.apache.hive.com.esotericsoftware.kryo.io.Input;
import org.apache.hive.com.esotericsoftware.kryo.io.Output;

/**
 * Stands in for a class of Hive 3.1.3 that looks for private fields of java.util.ArrayList as they were in Java 8; without
 * it no query that needs a job runs on a later Java.
 */
final class SerializationUtilities$ArrayListSubListSerializer extends Serializer<List<?>> {
  @Override
  public void write(Kryo kryo, Output output, List<?> list) {
    kryo.writeClassAndObject(output, new ArrayList<>(list));
  }

  @Override
  public List<?> read(Kryo kryo, Input input, Class<List<?>> type) {
    List<?> list = (List<?>) kryo.readClassAndObject(input);
    return list.subList(0, list.size());
  }
}
