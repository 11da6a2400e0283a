package edgekit

import java.util.concurrent.Executor
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.launch

/** A conversation: its [history] is plain data, to be saved and to be given to the next. One turn at a time. */
public class Conversation internal constructor(
    private val bundle: ModelBundle, history: List<Message>, private val settings: Settings,
) {
    /** All messages. An answer is added at its end, also where it was left; a turn that told nothing leaves no trace. */
    @Volatile public var history: List<Message> = history.toList()
        private set

    /** Say something; the answer is made while its events are collected. */
    public fun send(text: String): Flow<Event> = flow { answer(history + Message("user", text)) { emit(it) } }

    /** What a function gave for a call of the last answer. The model goes on when every call has its reply. */
    public fun reply(callId: String, json: String): Flow<Event> = flow {
        val asking = history.lastOrNull { it.calls.isNotEmpty() }
        val call = asking?.calls?.find { it.id == callId }
            ?: throw Refused("usage", "no call of the last answer is '$callId'", "reply to each by its id")
        val replied = history + Message("tool", json, name = call.name)
        val complete = replied.lastIndex - replied.lastIndexOf(asking) >= asking.calls.size
        if (complete) answer(replied) { emit(it) } else history = replied
    }

    private suspend fun answer(messages: List<Message>, tell: suspend (Event) -> Unit) {
        val text = StringBuilder()
        val calls = mutableListOf<Event.ToolCall>()
        var ended = false
        try {
            bundle.answer(messages, settings).collect { event ->
                when (event) {
                    is Event.Text -> text.append(event.text)
                    is Event.ToolCall -> calls.add(event)
                    is Event.Done -> ended = event.reason != "cancelled"
                    else -> Unit
                }
                tell(event)
            }
        } finally {
            val answered = ended || text.isNotEmpty() || calls.isNotEmpty()
            if (answered) history = messages + Message("assistant", text.toString(), calls)
        }
    }
}

/** For Java: who is told an answer. */
public interface Listener {
    public fun onEvent(event: Event)

    public fun onRefused(why: Refused)
}

/** For Java: the listeners of answers. */
public object Answers {
    /** Tell a listener, on an executor, what an answer or a turn tells; closing what comes back cancels it. */
    @JvmStatic
    public fun listen(events: Flow<Event>, executor: Executor, listener: Listener): AutoCloseable {
        val job = CoroutineScope(executor.asCoroutineDispatcher()).launch {
            try {
                events.collect { listener.onEvent(it) }
            } catch (why: Refused) {
                listener.onRefused(why)
            }
        }
        return AutoCloseable { job.cancel() }
    }
}
