// The tests' console: reads requests as JSON lines on stdin, asks the face, and writes what comes as JSON lines.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Edgekit;

internal static class Adapter {
    private static Bundle? bundle;
    private static Conversation? conversation;

    private static async Task Main() {
        using var input = new System.IO.StreamReader(Console.OpenStandardInput(), new UTF8Encoding(false));
        while (await input.ReadLineAsync() is string line) {
            JsonElement asked = JsonDocument.Parse(line).RootElement;
            try {
                Say(new { end = await Do(asked.GetProperty("do").GetString(), asked) });
            } catch (EdgekitException error) {
                Say(new {
                    error = new { code = error.Code, message = error.Message, next = error.Next, axis = error.Axis },
                });
            } catch (Exception error) when (error is OperationCanceledException || error is InvalidOperationException) {
                Say(new { error = new { code = error.GetType().Name, message = error.Message } });
            }
        }
    }

    private static async Task<object?> Do(string what, JsonElement asked) {
        Bundle open = bundle!;
        switch (what) {
            case "open":
                bundle = await Bundle.OpenAsync(asked.GetProperty("bundle").GetString(), Options(asked), Token(asked));
                return null;
            case "close":
                await open.DisposeAsync();
                await open.DisposeAsync();
                return null;
            case "facts":
                Facts facts = await open.FactsAsync();
                return new {
                    facts.Kind, facts.Variant, facts.Ep, facts.Slots, facts.MaxLength, facts.CacheBytes, facts.CanReuse,
                    facts.CanCancelInPrompt, facts.CanTakeTools, facts.Json,
                };
            case "preflight":
                long? tokens = asked.TryGetProperty("tokens", out JsonElement size) ? size.GetInt64() : (long?)null;
                Room room = await open.PreflightAsync(Request(asked.GetProperty("request")), tokens);
                return new {
                    room.Tokens, room.Anon, room.Mapped, room.Kv, room.Free, room.Limit, room.Fits, room.Why, room.Json,
                };
            case "answer":
                return await Answer(open.RespondAsync(Request(asked.GetProperty("request")), Token(asked)), asked);
            case "half": // which no JSON can say
                await Read(open.RespondAsync(new Request { Prompt = "the \ud83d can" }), _ => false);
                return null;
            case "converse":
                conversation = new Conversation(open, asked.GetProperty("history").EnumerateArray().Select(Message),
                    Request(asked.GetProperty("request")));
                return null;
            case "send":
                await Read(conversation!.Send(asked.GetProperty("text").GetString()), _ => false);
                return History();
            case "leave":
                await Read(conversation!.Send(asked.GetProperty("text").GetString()), told => told is Text);
                return History();
            case "reply":
                string id = asked.GetProperty("id").GetString(), json = asked.GetProperty("json").GetString();
                await Read(conversation!.Reply(id, json), _ => false);
                return History();
            case "trim":
                return await open.TrimAsync(Enum.Parse<Memories>(asked.GetProperty("what").GetString(), true));
            case "infer":
                return await Infer(open, asked);
            case "cycles":
                for (int at = asked.GetProperty("times").GetInt32(); at > 0; at--) {
                    await using Bundle again = await Bundle.OpenAsync(asked.GetProperty("bundle").GetString());
                    await Read(again.RespondAsync(Request(asked.GetProperty("request"))), _ => false, false);
                }
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return null;
            default:
                throw new NotSupportedException(what);
        }
    }

    /// "how" an answer is ended, when so many pieces of the prompt and letters of the answer were told.
    private static async Task<object?> Answer(Run run, JsonElement asked) {
        string how = asked.GetProperty("how").GetString();
        int pieces = 0, letters = 0;
        using var source = new CancellationTokenSource();
        bool Due(Event told) {
            pieces += told is Progress ? 1 : 0;
            letters += told is Text text ? text.Value.Length : 0;
            return pieces >= asked.GetProperty("pieces").GetInt32() && letters >= asked.GetProperty("chars").GetInt32();
        }
        void Cancel(Action end) {
            var thread = new Thread(() => end());
            thread.Start();
            thread.Join();
        }
        await foreach (Event told in run.WithCancellation(source.Token)) {
            Show(told);
            if (how == "slow") Thread.Sleep(5);
            if (!Due(told)) continue;
            if (how == "quit") Environment.Exit(0);
            if (how == "leave") break;
            if (how == "cancel") Cancel(run.Cancel);
            if (how == "token") Cancel(source.Cancel);
            if (how == "close") Cancel(() => bundle!.DisposeAsync().AsTask().Wait());
        }
        if (how == "twice") await foreach (Event told in run) Show(told);
        return null;
    }

    private static async Task Read(IAsyncEnumerable<Event> events, Predicate<Event> last, bool shown = true) {
        await foreach (Event told in events) {
            if (shown) Show(told);
            if (last(told)) break;
        }
    }

    private static async Task<object?> Infer(Bundle open, JsonElement asked) {
        var inputs = new List<Tensor>();
        foreach (JsonElement input in asked.GetProperty("inputs").EnumerateArray()) {
            string type = input.GetProperty("type").GetString(), name = input.GetProperty("name").GetString();
            byte[] data = input.GetProperty("data").GetBytesFromBase64();
            var numbers = new float[data.Length / 4];
            Buffer.BlockCopy(data, 0, numbers, 0, numbers.Length * 4);
            long[] shape = Shape(input);
            inputs.Add(type == "float32" ? Tensor.Of(name, numbers, shape) : new Tensor(name, type, data, shape));
        }
        var own = new List<byte[]>();
        var outputs = new List<Tensor>();
        foreach (JsonElement output in asked.GetProperty("outputs").EnumerateArray()) {
            string name = output.GetProperty("name").GetString();
            own.Add(new byte[output.GetProperty("bytes").GetInt32()]);
            outputs.Add(own.Last().Length == 0 ? new Tensor(name)
                : new Tensor(name, output.GetProperty("type").GetString(), own.Last(), Shape(output)));
        }
        Tensor[] made = await open.InferAsync(inputs, outputs);
        return made.Select((tensor, at) => new {
            tensor.Name, tensor.Type, tensor.Shape, Data = own[at].Length == 0 ? tensor.ToArray<byte>() : own[at],
        });
    }

    private static object History() => conversation!.History.Select(message => new {
        message.Role, message.Content, message.Name,
        Calls = message.ToolCalls?.Select(call => new[] { call.Id, call.Name, call.Json }),
    });

    private static long[] Shape(JsonElement tensor) =>
        tensor.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64()).ToArray();

    private static CancellationToken Token(JsonElement asked) =>
        new CancellationToken(asked.TryGetProperty("cancelled", out JsonElement cancelled) && cancelled.GetBoolean());

    private static OpenOptions Options(JsonElement asked) {
        var options = new OpenOptions();
        foreach (JsonProperty option in asked.GetProperty("options").EnumerateObject()) {
            object value = option.Value.ValueKind switch {
                JsonValueKind.Number => option.Value.GetInt32(),
                JsonValueKind.String => option.Value.GetString(),
                _ => option.Value.GetBoolean(),
            };
            typeof(OpenOptions).GetProperty(option.Name)!.SetValue(options, value);
        }
        return options;
    }

    private static Request Request(JsonElement asked) {
        JsonElement? Get(string key) => asked.TryGetProperty(key, out JsonElement value) ? value : (JsonElement?)null;
        return new Request {
            Messages = Get("messages")?.EnumerateArray().Select(Message).ToList(),
            Prompt = Get("prompt")?.GetString(),
            MaxTokens = Get("max_tokens")?.GetInt32(),
            Stop = Get("stop")?.EnumerateArray().Select(stop => stop.GetString()).ToList(),
            Temperature = Get("temperature")?.GetDouble(),
            TopK = Get("top_k")?.GetInt32(),
            TopP = Get("top_p")?.GetDouble(),
            Seed = Get("seed")?.GetInt64(),
            Tools = Get("tools")?.EnumerateArray().Select(each => Tool(each.GetProperty("function"))).ToList(),
            Call = Get("call")?.GetString(),
            JsonSchema = Get("json_schema")?.GetRawText(),
        };
    }

    private static Tool Tool(JsonElement function) =>
        new Tool(function.GetProperty("name").GetString(), null, function.GetProperty("parameters").GetRawText());

    private static Message Message(JsonElement said) =>
        new Message(said.GetProperty("role").GetString(), said.GetProperty("content").GetString());

    private static void Show(Event told) => Say(told switch {
        Progress progress => new { @event = "progress", progress.Read, progress.Of },
        Text text => new { @event = "text", text.Value },
        Thought thought => new { @event = "thought", thought.Value },
        ToolCall call => new { @event = "call", call.Id, call.Name, call.Json },
        Done done => new {
            @event = "done", done.Reason, done.PromptTokens, done.Tokens, done.Reused, done.Loaded, done.TtftMs,
            done.DecodeTps,
        },
        _ => (object)told.GetType().Name,
    });

    private static void Say(object said) {
        Console.Out.WriteLine(JsonSerializer.Serialize(said)); // ASCII alone
        Console.Out.Flush();
    }
}
