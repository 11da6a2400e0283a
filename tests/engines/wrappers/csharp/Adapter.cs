// The C# face as a process: a request as JSON a line of stdin, an answer as JSON a line of the file that is named.
// {"value": ...}, {"refused": {code, message, next, axis}}; anything else ends the process.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Edgekit;
using Fields = System.Collections.Generic.Dictionary<string, object?>;

internal static class Adapter {
    private static readonly List<Bundle> Bundles = new List<Bundle>();
    private static readonly List<Conversation> Chats = new List<Conversation>();

    private static async Task Main(string[] words) {
        using var answers = new StreamWriter(new FileStream(words[0], FileMode.Open, FileAccess.Write));
        using var input = new StreamReader(Console.OpenStandardInput(), new UTF8Encoding(false));
        while (await input.ReadLineAsync() is string line) {
            var answer = new Fields();
            try {
                answer["value"] = await Do(new Asked(JsonDocument.Parse(line).RootElement));
            } catch (EdgekitException why) {
                answer["refused"] = Refused(why.Code, why.Message, why.Next, why.Axis);
            } catch (Exception why) when (why is OperationCanceledException || why is InvalidOperationException) {
                answer["refused"] = Refused(why.GetType().Name, why.Message, "", "");
            }
            answers.WriteLine(JsonSerializer.Serialize(answer)); // ASCII alone
            answers.Flush();
        }
    }

    private static object Refused(string code, string message, string next, string axis) =>
        new { code, message, next, axis };

    private static async Task<object?> Do(Asked asked) {
        switch (asked.Text("do")) {
            case "open":
                Bundles.Add(await Bundle.OpenAsync(asked.Text("folder")!, asked.Options, asked.Token));
                return Bundles.Count - 1;
            case "close":
                await asked.Bundle.DisposeAsync();
                return null;
            case "facts":
                return Told(await asked.Bundle.FactsAsync());
            case "preflight":
                Room room = await asked.Bundle.PreflightAsync(asked.Request, asked.Whole("tokens"));
                return new Fields {
                    ["tokens"] = room.Tokens, ["anon"] = room.Anon, ["mapped"] = room.Mapped, ["kv"] = room.Kv,
                    ["free"] = room.Free, ["limit"] = room.Limit, ["fits"] = room.Fits, ["why"] = room.Why,
                };
            case "answer":
                return await Answer(asked);
            case "request":
                return await All(asked.Bundle.RespondAsync(asked.Part("request").Request));
            case "two":
                return await Two(asked);
            case "leave":
                return await All(asked.Bundle.RespondAsync(asked.Request), asked.Whole("events"));
            case "cancel":
                return await Cancelled(asked);
            case "half": // which no JSON can say
                return await All(asked.Bundle.RespondAsync(new Request { Prompt = "the \ud83d can" }));
            case "before": // its token was cancelled
                return await All(asked.Bundle.RespondAsync(new Request { Prompt = "a" }, new CancellationToken(true)));
            case "twice":
                Run run = asked.Bundle.RespondAsync(asked.Request);
                await All(run);
                return await All(run);
            case "slow":
                return await All(asked.Bundle.RespondAsync(asked.Part("request").Request),
                    then: _ => Thread.Sleep(asked.Int("ms") ?? 0));
            case "closed": // after its first text, by another thread
                return await All(asked.Bundle.RespondAsync(asked.Request), then: told => {
                    if (told is Text) Task.Run(() => asked.Bundle.DisposeAsync().AsTask()).Wait();
                });
            case "quit": // after its first text
                return await All(asked.Bundle.RespondAsync(asked.Request), then: told => {
                    if (told is Text) Environment.Exit(0);
                });
            case "trim":
                return await asked.Bundle.TrimAsync(Enum.Parse<Memories>(asked.Text("what")!, true));
            case "infer":
                return await Infer(asked);
            case "large":
                return await Large(asked);
            case "classify":
                return (await asked.Bundle.ClassifyAsync(asked.Data("pixels"), asked.Int("width") ?? 0,
                    asked.Int("height") ?? 0, asked.Int("top") ?? 0, asked.Text("format") ?? "rgb8")).Select(category => new Fields {
                        ["index"] = category.Index, ["label"] = category.Label, ["score"] = category.Score,
                    });
            case "chat":
                Chats.Add(new Conversation(asked.Bundle, asked.Messages, asked.Settings));
                return Chats.Count - 1;
            case "send":
                return await All(asked.Chat.Send(asked.Text("text")!), asked.Whole("events"));
            case "reply":
                return await All(asked.Chat.Reply(asked.Text("id")!, asked.Text("json")!));
            case "history":
                return asked.Chat.History.Select(Told);
            case "cycles":
                for (long at = asked.Whole("times") ?? 0; at > 0; at--) {
                    await using Bundle again = await Bundle.OpenAsync(asked.Text("folder")!);
                    await All(again.RespondAsync(asked.Request));
                }
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return null;
            default:
                throw new NotSupportedException(asked.Text("do"));
        }
    }

    /// Everything that is told, or the first of it: then the loop is left.
    private static async Task<List<Fields>> All(
        IAsyncEnumerable<Event> events, long? most = null, Action<Event>? then = null) {
        var all = new List<Fields>();
        await foreach (Event told in events) {
            all.Add(Told(told));
            then?.Invoke(told);
            if (all.Count == most) break;
        }
        return all;
    }

    /// Another thread cancels once `pieces` of the prompt and `chars` of the text were told.
    private static Task<List<Fields>> Answer(Asked asked) {
        Run run = asked.Bundle.RespondAsync(asked.Part("request").Request);
        int pieces = 0, letters = 0;
        return All(run, then: told => {
            pieces += told is Progress ? 1 : 0;
            letters += told is Text text ? text.Value.Count(letter => !char.IsLowSurrogate(letter)) : 0;
            if (pieces >= asked.Int("pieces") && letters >= asked.Int("chars")) Task.Run(run.Cancel).Wait();
        });
    }

    /// Two answers at once; the later one waits for its first event before the other is read.
    private static async Task<object> Two(Asked asked) {
        IAsyncEnumerator<Event> first = asked.Bundle.RespondAsync(asked.Request).GetAsyncEnumerator();
        var texts = new[] { new StringBuilder(), new StringBuilder() };
        bool more = await first.MoveNextAsync();
        Task<List<Fields>> later = All(asked.Bundle.RespondAsync(asked.Request), then: told => Add(1, told));
        for (; more; more = await first.MoveNextAsync()) Add(0, first.Current);
        await first.DisposeAsync();
        await later;
        return texts.Select(text => text.ToString());

        void Add(int at, Event told) => texts[at].Append((told as Text)?.Value);
    }

    /// Whether the token ends an answer with the exception that is usual, at its first text or in its prompt.
    private static async Task<bool> Cancelled(Asked asked) {
        using var source = new CancellationTokenSource();
        try {
            await All(asked.Bundle.RespondAsync(asked.Request, source.Token), then: told => {
                if (told is Text || asked.Flag("in_prompt") == true) Task.Run(source.Cancel).Wait();
            });
            return false;
        } catch (OperationCanceledException) {
            return true;
        }
    }

    private static async Task<object> Infer(Asked asked) {
        Tensor[] inputs = asked.Part("inputs").Each(Tensor).ToArray();
        var own = new Dictionary<string, byte[]>();
        Tensor[] outputs = asked.Part("outputs").Each((name, array) => {
            if (array.Missing) return new Tensor(name);
            own[name] = array.Data("data");
            return new Tensor(name, array.Text("type")!, own[name], array.Shape);
        }).ToArray();
        return (await asked.Bundle.InferAsync(inputs, outputs)).ToDictionary(made => made.Name, made => new Fields {
            ["type"] = made.Type, ["shape"] = made.Shape,
            ["data"] = own.TryGetValue(made.Name, out byte[]? written) ? written : made.ToArray<byte>(),
        });
    }

    /// As many floats through a net that gives back what it is fed, from memory of ours into memory of ours.
    private static async Task<object> Large(Asked asked) {
        int count = asked.Int("floats") ?? 0;
        float[] x = Enumerable.Range(0, count).Select(at => (float)at).ToArray();
        var y = new byte[4 * count];
        await asked.Bundle.InferAsync(new[] { Edgekit.Tensor.Of("x", x, 1, 1, 1, count) },
            new[] { new Tensor("y", "float32", y, 1, 1, 1, count) });
        return MemoryMarshal.AsBytes(x.AsSpan()).SequenceEqual(y);
    }

    /// Of floats by their array, of others by their bytes.
    private static Tensor Tensor(string name, Asked array) {
        byte[] data = array.Data("data");
        if (array.Text("type") != "float32") return new Tensor(name, array.Text("type")!, data, array.Shape);
        var numbers = new float[data.Length / 4];
        Buffer.BlockCopy(data, 0, numbers, 0, data.Length);
        return Edgekit.Tensor.Of(name, numbers, array.Shape);
    }

    private static Fields Told(Event told) => told switch {
        Progress progress => new Fields { ["kind"] = "progress", ["read"] = progress.Read, ["of"] = progress.Of },
        Text text => new Fields { ["kind"] = "text", ["text"] = text.Value },
        Thought thought => new Fields { ["kind"] = "thought", ["text"] = thought.Value },
        ToolCall call => new Fields {
            ["kind"] = "call", ["id"] = call.Id, ["name"] = call.Name, ["arguments"] = call.Json,
        },
        Done done => new Fields {
            ["kind"] = "done", ["reason"] = done.Reason, ["prompt_tokens"] = done.PromptTokens,
            ["tokens"] = done.Tokens, ["reused"] = done.Reused, ["loaded"] = done.Loaded, ["ttft_ms"] = done.TtftMs,
            ["decode_tps"] = done.DecodeTps,
        },
        _ => throw new NotSupportedException(told.GetType().Name),
    };

    private static Fields Told(Facts facts) => new Fields {
        ["kind"] = facts.Kind, ["variant"] = facts.Variant, ["ep"] = facts.Ep, ["slots"] = facts.Slots,
        ["max_length"] = facts.MaxLength, ["cache_bytes"] = facts.CacheBytes,
        ["engines"] = JsonDocument.Parse(facts.Json).RootElement.GetProperty("engines"),
        ["can"] = facts.CanReuse is null ? null : new Fields {
            ["reuse"] = facts.CanReuse, ["cancel_in_prompt"] = facts.CanCancelInPrompt, ["tools"] = facts.CanTakeTools,
        },
    };

    private static Fields Told(Message message) {
        var told = new Fields { ["role"] = message.Role, ["content"] = message.Content };
        if (message.Name != null) told["name"] = message.Name;
        if (message.ToolCalls is null) return told;
        told["tool_calls"] = message.ToolCalls.Select(call => new Fields {
            ["id"] = call.Id, ["type"] = "function", ["function"] = new Fields {
                ["name"] = call.Name, ["arguments"] = JsonDocument.Parse(call.Json).RootElement,
            },
        });
        return told;
    }

    /// A JSON object, by its keys.
    private sealed class Asked {
        private readonly JsonElement _fields;
        internal Asked(JsonElement fields) => _fields = fields;
        private JsonElement? Get(string key) =>
            _fields.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null
                ? value : (JsonElement?)null;

        internal bool Missing => _fields.ValueKind == JsonValueKind.Null;
        internal string? Text(string key) => Get(key)?.GetString();
        internal long? Whole(string key) => Get(key)?.GetInt64();
        internal int? Int(string key) => Get(key)?.GetInt32();
        internal double? Real(string key) => Get(key)?.GetDouble();
        internal bool? Flag(string key) => Get(key)?.GetBoolean();
        internal byte[] Data(string key) => Get(key)!.Value.GetBytesFromBase64();
        internal Asked Part(string key) => new Asked(Get(key)!.Value);
        internal IEnumerable<Asked>? List(string key) => Get(key)?.EnumerateArray().Select(item => new Asked(item));
        internal IEnumerable<T> Each<T>(Func<string, Asked, T> with) =>
            _fields.EnumerateObject().Select(field => with(field.Name, new Asked(field.Value)));
        internal long[] Shape => Get("shape")!.Value.EnumerateArray().Select(size => size.GetInt64()).ToArray();

        internal Bundle Bundle => Bundles[Int("bundle")!.Value];
        internal Conversation Chat => Chats[Int("chat")!.Value];
        internal CancellationToken Token => new CancellationToken(Flag("cancelled") == true);
        internal OpenOptions Options => new OpenOptions {
            Verify = Flag("verify") == true, Foreign = Flag("foreign") == true, Lazy = Flag("lazy") == true,
            Threads = Int("threads") ?? 0, Slots = Int("slots") is int slots && slots == 0 ? -1 : Int("slots") ?? 0,
            Piece = Int("piece") ?? 0, Variant = Text("variant"), OnnxRuntime = Text("onnxruntime"),
            GenAi = Text("genai"), GenAiVersion = Text("genai_version"),
        };
        internal IEnumerable<Message>? Messages => List("messages")?.Select(message => message.Message);
        internal Request Request {
            get { Request request = Settings; request.Messages = Messages?.ToList(); return request; }
        }
        internal Request Settings => new Request {
            Prompt = Text("prompt"), MaxTokens = Int("max_tokens"), Temperature = Real("temperature"),
            TopK = Int("top_k"), TopP = Real("top_p"), MinP = Real("min_p"), Seed = Whole("seed"),
            RepetitionPenalty = Real("repetition_penalty"), Call = Text("call"), Think = Flag("think"),
            Stop = Get("stop")?.EnumerateArray().Select(stop => stop.GetString()).ToList(),
            Tools = List("tools")?.Select(tool => tool.Part("function")).Select(function => new Tool(
                function.Text("name")!, function.Text("description"), function.Raw("parameters"))).ToList(),
            JsonSchema = Get("json_schema")?.GetRawText(),
        };
        private string Raw(string key) => Get(key)!.Value.GetRawText();
        private Message Message => new Message(Text("role")!, Text("content")!) {
            Name = Text("name"),
            ToolCalls = List("tool_calls")?.Select(call => new ToolCall(call.Text("id")!,
                call.Part("function").Text("name")!, call.Part("function").Raw("arguments"))).ToList(),
        };
    }
}
