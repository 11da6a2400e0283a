// Every function of jni.cpp as the Kotlin face declares it, called as the face calls it and wrongly: for a library under
// sanitizers, which a JVM without Kotlin serves as well. Words: the library, a bundle of a language model, the tests' engine
// (stub/), a bundle of classes, ONNX Runtime.
package edgekit;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

public final class Native {
    static native boolean fits();
    static native long open(byte[] folder, int[] numbers, byte[][] texts, byte[][] why);
    static native void close(long bundle);
    static native byte[] document(long bundle, byte[] request, byte[][] why);
    static native long respond(long bundle, byte[] request, byte[][] why);
    static native int next(long run, long[] numbers, byte[][] texts);
    static native void cancel(long run);
    static native void free(long run);
    static native long trim(long bundle, int what, byte[][] why);
    static native long infer(
        long bundle, int inputs, byte[][] names, byte[][] types, long[][] shapes, ByteBuffer[] buffers, byte[][] why);
    static native byte[] classify(
        long bundle, ByteBuffer pixels, byte[] format, int width, int height, int top, byte[][] why);
    static native void freeValues(long values);

    private static final int TEXT = 2, DONE = 5;
    private static final String ODD = "a \ud83d\udc69\u200d\ud83d\udc67 \r\n";

    public static void main(String[] words) throws Exception {
        System.load(words[0]);
        check(fits());
        byte[][] why = new byte[4][];
        check(open(bytes("/none"), new int[4], new byte[4][], why) == 0 && text(why[0]).equals("bundle"));
        talk(words[1], words[2]);
        run(words[3], words[4]);
        System.out.println("done");
    }

    private static long opened(String folder, String onnxruntime, String genai) {
        byte[][] why = new byte[4][];
        byte[][] texts = {null, bytes(onnxruntime), genai == null ? null : bytes(genai), bytes("0.14.1")};
        long bundle = open(bytes(folder), new int[] {0, 0, 2, 16}, texts, why);
        check(bundle != 0, why);
        return bundle;
    }

    private static void talk(String folder, String engine) throws Exception {
        long bundle = opened(folder, engine, engine);
        byte[][] why = new byte[4][];
        check(text(document(bundle, null, why)).contains("\"kind\":\"llm\""), why);
        check(text(document(bundle, bytes("{\"tokens\": 9}"), why)).contains("\"tokens\":9"), why);
        check(document(bundle, bytes("{"), why) == null && text(why[0]).equals("usage"));
        check(respond(bundle, bytes("{}"), why) == 0 && text(why[0]).equals("usage"));
        String first = answer(bundle, 1 << 30);
        check(first.length() > 4 && answer(bundle, 2).length() <= first.length());
        long kept = respond(bundle, request(), new byte[4][]);
        Thread other = new Thread(() -> answer(bundle, 1 << 30));
        other.start();
        check(next(kept, new long[2], new byte[4][]) != 0);
        cancel(kept);
        other.join();
        check(trim(bundle, 1, why) >= 0 && trim(bundle, 2, why) >= 0);
        trim(bundle, 7, why);
        check(text(why[0]).equals("usage"));
        check(answer(bundle, 1 << 30).equals(first)); // the weights come back
        close(bundle);
        for (int kind = 0; kind != DONE;) kind = next(kept, new long[2], new byte[4][]);
        free(kept); // after its bundle
    }

    private static byte[] request() {
        String said = ODD.replace("\r\n", "\\r\\n");
        return bytes("{\"messages\": [{\"role\": \"user\", \"content\": \"" + said + "\"}]}");
    }

    /** The text of an answer, or of its first events. */
    private static String answer(long bundle, int most) {
        long run = respond(bundle, request(), new byte[4][]);
        StringBuilder all = new StringBuilder();
        for (int kind = 0, events = 0; kind != DONE && events < most; ++events) {
            byte[][] texts = new byte[4][];
            kind = next(run, new long[2], texts);
            check(kind != 0, texts);
            if (kind == TEXT) all.append(text(texts[0]));
        }
        free(run);
        return all.toString();
    }

    private static void run(String folder, String onnxruntime) {
        long bundle = opened(folder, onnxruntime, null);
        byte[][] why = new byte[4][];
        byte[][] names = {bytes("x"), bytes("best"), bytes("scores")}, types = {bytes("float32"), null, null};
        long[][] shapes = {{2, 3, 8, 8}, null, null};
        ByteBuffer x = ByteBuffer.allocateDirect(4 * 2 * 3 * 8 * 8).order(ByteOrder.nativeOrder());
        ByteBuffer[] buffers = {x, null, null};
        long owned = infer(bundle, 1, names, types, shapes, buffers, why);
        check(owned != 0, why);
        check(text(types[1]).equals("int64") && shapes[2][0] == 2 && buffers[2].capacity() == 4 * 2 * shapes[2][1]);
        int sum = 0;
        for (ByteBuffer made : buffers) for (int at = 0; at < made.capacity(); ++at) sum += made.get(at);
        freeValues(owned);
        ByteBuffer scores = ByteBuffer.allocateDirect((int) (8 * shapes[2][1])).order(ByteOrder.nativeOrder());
        byte[][] two = {bytes("x"), bytes("scores")}, both = {bytes("float32"), bytes("float32")};
        check(infer(bundle, 1, two, both, new long[][] {shapes[0], shapes[2]}, new ByteBuffer[] {x, scores}, why) == 0);
        check(why[0] == null && sum != Integer.MIN_VALUE, why);
        shapes[0][3] = 7;
        check(infer(bundle, 1, two, both, new long[][] {shapes[0], shapes[2]}, new ByteBuffer[] {x, scores}, why) == 0);
        check(text(why[0]).equals("usage"));
        pictures(bundle);
        close(bundle);
    }

    /** Each in memory that ends with its last pixel. */
    private static void pictures(long bundle) {
        for (String form : new String[] {"rgb8", "bgrx8", "rgba8 premultiplied display-p3"}) {
            for (int turn = 1; turn <= 8; ++turn) {
                ByteBuffer pixels = ByteBuffer.allocateDirect(9 * 7 * (form.equals("rgb8") ? 3 : 4));
                for (int at = 0; at < pixels.capacity(); ++at) pixels.put(at, (byte) (31 * at));
                byte[][] why = new byte[4][];
                byte[] told = classify(bundle, pixels, bytes(form + " exif-" + turn), 7, 9, 3, why);
                check(told != null && text(told).contains("\"classes\""), why);
                check(classify(bundle, pixels, bytes(form + " exif-" + turn), 8, 9, 3, why) == null);
                check(text(why[0]).equals("usage"));
                check(classify(bundle, pixels, bytes("rgba"), 7, 9, 3, why) == null);
            }
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static void check(boolean holds, byte[]... why) {
        if (holds) return;
        throw new AssertionError(Arrays.toString(Arrays.stream(why).map(part -> part == null ? "" : text(part)).toArray()));
    }
}
