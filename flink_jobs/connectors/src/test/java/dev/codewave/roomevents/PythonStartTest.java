package dev.codewave.roomevents;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Field;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** On pemja's own class, of which every test loads one anew; CPython itself is not started. */
class PythonStartTest {
  private static final String NAME = "pemja.core.PythonInterpreter$MainInterpreter";

  private URLClassLoader loader;
  private Object interpreter;

  @BeforeEach
  void loadPemja() throws Exception {
    URL jar = Class.forName(NAME).getProtectionDomain().getCodeSource().getLocation();
    loader = new URLClassLoader(new URL[] {jar}, null);
    interpreter = field("instance").get(null);
  }

  @AfterEach
  void close() throws Exception {
    loader.close();
  }

  private Field field(String name) throws Exception {
    Field field = Class.forName(NAME, true, loader).getDeclaredField(name);
    field.setAccessible(true);
    return field;
  }

  private Object error() throws Exception {
    return field("error").get(interpreter);
  }

  private boolean isStarted() throws Exception {
    return field("isStarted").getBoolean(interpreter);
  }

  private void end() throws Exception {
    ((CountDownLatch) field("damonThreadStart").get(interpreter)).countDown();
  }

  @Test
  void aStartThatWasInterruptedAndHasEndedWellIsTakenForWhatItIs() throws Exception {
    field("error").set(interpreter, new InterruptedException());
    end();
    PythonStart.mend(loader);
    assertNull(error());
    assertTrue(isStarted());
  }

  @Test
  void theEndOfTheStartIsWaitedFor() throws Exception {
    field("error").set(interpreter, new InterruptedException());
    Thread.currentThread().interrupt();
    assertThrows(InterruptedException.class, () -> PythonStart.mend(loader));
    assertFalse(isStarted());
    end();
    PythonStart.mend(loader);
    assertTrue(isStarted());
  }

  @Test
  void aStartThatFailedStaysFailed() throws Exception {
    Error failure = new Error("no Python");
    field("error").set(interpreter, failure);
    end();
    PythonStart.mend(loader);
    assertSame(failure, error());
    assertFalse(isStarted());
  }

  @Test
  void anInterpreterThatHasNotBeenStartedIsLeftAlone() throws Exception {
    PythonStart.mend(loader);
    assertNull(error());
    assertFalse(isStarted());
  }
}
