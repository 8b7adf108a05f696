package dev.codewave.roomevents;

import java.lang.reflect.Field;
import java.util.concurrent.CountDownLatch;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Mends the Python interpreter of a process after a start during which a task was cancelled.
 *
 * <p>pemja starts CPython once a process, in a thread of its own, and the first task waits for it. If that task is
 * cancelled meanwhile, Flink interrupts its thread; pemja keeps the interruption as the error of the start, which goes
 * on unharmed, and throws it at every later task of the process (seen with pemja 0.5.7): a TaskManager whose first task
 * was cancelled at the wrong moment could run no Python any more, and a job that lands there restarted for ever.
 *
 * <p>Passes on what the Python operator makes, chained behind it: a chain opens from its end, so this opens first.
 */
public final class PythonStart extends RichMapFunction<byte[], byte[]> {
  private static final long serialVersionUID = 1L;
  private static final Logger LOG = LoggerFactory.getLogger(PythonStart.class);

  /** Its class loader is that of the interpreter in use; a job's own may hold a copy that nothing uses. */
  private static final String OPERATOR =
      "org.apache.flink.streaming.api.operators.python.embedded.AbstractEmbeddedPythonFunctionOperator";

  private static final String INTERPRETER = "pemja.core.PythonInterpreter$MainInterpreter";

  /** @throws ReflectiveOperationException if pemja is not as it was */
  @Override
  public void open(OpenContext context) throws ReflectiveOperationException, InterruptedException {
    ClassLoader own = PythonStart.class.getClassLoader();
    mend(Class.forName(OPERATOR, false, own).getClassLoader());
  }

  @Override
  public byte[] map(byte[] batches) {
    return batches;
  }

  static void mend(ClassLoader loader) throws ReflectiveOperationException, InterruptedException {
    Class<?> type = Class.forName(INTERPRETER, true, loader);
    Object interpreter = field(type, "instance").get(null);
    synchronized (interpreter) { // as pemja does while it starts
      Field error = field(type, "error");
      if (!(error.get(interpreter) instanceof InterruptedException)) {
        return;
      }
      ((CountDownLatch) field(type, "damonThreadStart").get(interpreter)).await();
      // The start may have failed after all, and then says so here.
      if (error.get(interpreter) instanceof InterruptedException) {
        error.set(interpreter, null);
        field(type, "isStarted").setBoolean(interpreter, true);
        LOG.info("A task was cancelled while Python started in this process; Python is ready nonetheless");
      }
    }
  }

  private static Field field(Class<?> type, String name) throws NoSuchFieldException {
    Field field = type.getDeclaredField(name);
    field.setAccessible(true);
    return field;
  }
}
