package edgekit;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** The face as an app in Java uses it. */
final class Heard implements Listener {
    private final StringBuilder text = new StringBuilder();
    private final CompletableFuture<String> whole = new CompletableFuture<>();

    static String of(ModelBundle bundle, String question) throws Exception {
        ExecutorService executor = Executors.newSingleThreadExecutor();
        Heard heard = new Heard();
        Conversation chat = bundle.conversation(List.of(), new Settings(20, null, null, null, null, 0.0));
        AutoCloseable listening = Answers.listen(chat.send(question), executor, heard);
        try {
            return heard.whole.get();
        } finally {
            listening.close();
            executor.shutdown();
        }
    }

    @Override
    public void onEvent(Event event) {
        if (event instanceof Event.Text) {
            text.append(((Event.Text) event).getText());
        } else if (event instanceof Event.Done) {
            whole.complete(text.toString());
        }
    }

    @Override
    public void onRefused(Refused why) {
        whole.complete(why.getCode() + ": " + why.getMessage());
    }
}
