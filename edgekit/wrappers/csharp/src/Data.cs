using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.RegularExpressions;
using System.Text;

namespace Edgekit {
/// <summary>One turn of a conversation, as plain data. Role is "system", "user", "assistant" or "tool"; Name is of the
/// function that a "tool" answers for, ToolCalls are of an "assistant".</summary>
public sealed class Message {
    public Message(string role, string content) => (Role, Content) = (role, content);
    public string Role { get; }
    public string Content { get; }
    public string? Name { get; set; }
    public IReadOnlyList<ToolCall>? ToolCalls { get; set; }
    internal string Json() => new JsonWriter().Add("role", Role).Add("content", Content).Add("name", Name)
        .Add("tool_calls", ToolCalls?.Select(call => Function(call.Name, null, "arguments", call.Json))).ToString();
    internal static string Function(string name, string? description, string key, string json) {
        JsonWriter function = new JsonWriter().Add("name", name).Add("description", description).Raw(key, json);
        return new JsonWriter().Add("type", "function").Raw("function", function.ToString()).ToString();
    }
}

/// <summary>A function that the model may ask for; Parameters are a JSON schema.</summary>
public sealed class Tool {
    public Tool(string name, string? description, string parameters) =>
        (Name, Description, Parameters) = (name, description, parameters);
    public string Name { get; }
    public string? Description { get; }
    public string Parameters { get; }
    internal string Json() => Message.Function(Name, Description, "parameters", Parameters);
}

/// <summary>What is asked: Messages, or a Prompt without a template. What is null is the bundle's own. Temperature 0 is
/// greedy, Call is "auto", "required" or "unguided", JsonSchema what the answer is held to, Speculate "ngram".</summary>
public sealed class Request {
    public IReadOnlyList<Message>? Messages { get; set; }
    public string? Prompt { get; set; }
    public int? MaxTokens { get; set; }
    public IReadOnlyList<string>? Stop { get; set; }
    public double? Temperature { get; set; }
    public int? TopK { get; set; }
    public double? TopP { get; set; }
    public double? MinP { get; set; }
    public double? RepetitionPenalty { get; set; }
    public long? Seed { get; set; }
    public IReadOnlyList<Tool>? Tools { get; set; }
    public string? Call { get; set; }
    public string? JsonSchema { get; set; }
    public bool? Think { get; set; }
    public string? Adapter { get; set; }
    public string? Speculate { get; set; }
    internal Request Clone() => (Request)MemberwiseClone();
    internal string Json() => Sized().Add("prompt", Prompt).Add("stop", Stop?.Select(JsonWriter.Quoted))
        .Add("temperature", Temperature).Add("top_k", TopK).Add("top_p", TopP).Add("min_p", MinP)
        .Add("repetition_penalty", RepetitionPenalty).Add("seed", Seed).Add("call", Call).Raw("json_schema", JsonSchema)
        .Add("think", Think).Add("adapter", Adapter).Add("speculate", Speculate).ToString();
    internal string Json(long? tokens) => Sized().Add("tokens", tokens).ToString();
    private JsonWriter Sized() => new JsonWriter().Add("messages", Messages?.Select(message => message.Json()))
        .Add("tools", Tools?.Select(tool => tool.Json())).Add("max_tokens", MaxTokens);
}

/// <summary>A JSON object that is written key by key; what is null is left out.</summary>
internal sealed class JsonWriter {
    private readonly StringBuilder _text = new StringBuilder();
    /// <summary>What is JSON already.</summary>
    internal JsonWriter Raw(string key, string? json) {
        if (json != null) _text.Append(_text.Length > 0 ? ',' : '{').Append(Quoted(key)).Append(':').Append(json);
        return this;
    }
    internal JsonWriter Add(string key, string? text) => Raw(key, text == null ? null : Quoted(text));
    internal JsonWriter Add(string key, bool? flag) => Raw(key, flag?.ToString().ToLowerInvariant());
    internal JsonWriter Add(string key, double? real) => Raw(key, real?.ToString("R", CultureInfo.InvariantCulture));
    internal JsonWriter Add(string key, long? number) => Raw(key, number?.ToString(CultureInfo.InvariantCulture));
    internal JsonWriter Add(string key, IEnumerable<string>? items) =>
        Raw(key, items == null ? null : "[" + string.Join(",", items) + "]");
    public override string ToString() => _text.Length > 0 ? _text + "}" : "{}";
    /// <summary>Halves of characters as escapes: the core puts pairs together and refuses what is none.</summary>
    internal static string Quoted(string text) => "\"" + string.Concat(text.Select(letter =>
        letter < ' ' || char.IsSurrogate(letter) ? $"\\u{(int)letter:x4}"
        : letter == '"' || letter == '\\' ? "\\" + letter : letter.ToString())) + "\"";
}

/// <summary>What an answer tells: Progress, Text, Thought, ToolCall, and Done last.</summary>
public abstract class Event { private protected Event() { } }

/// <summary>Of the prompt's Of tokens, Read are read.</summary>
public sealed class Progress : Event {
    internal Progress(long read, long of) => (Read, Of) = (read, of);
    public long Read { get; }
    public long Of { get; }
}

/// <summary>A piece of what is written; whole characters.</summary>
public abstract class Piece : Event {
    private protected Piece(string value) => Value = value;
    public string Value { get; }
}

/// <summary>Of the answer.</summary>
public sealed class Text : Piece { internal Text(string value) : base(value) { } }
/// <summary>Of what the model thinks before it.</summary>
public sealed class Thought : Piece { internal Thought(string value) : base(value) { } }

/// <summary>A function that the model wants called; Json has its arguments, an object.</summary>
public sealed class ToolCall : Event {
    public ToolCall(string id, string name, string json) => (Id, Name, Json) = (id, name, json);
    public string Id { get; }
    public string Name { get; }
    public string Json { get; }
}

/// <summary>The end. Reason is "eos", "stop", "length", "max_length" or "cancelled"; Reused are tokens of the prompt
/// that were not read again; Loaded: the model had to be, for this.</summary>
public sealed class Done : Event {
    internal Done(string json) => Json = json;
    public string Json { get; }
    public string Reason => JsonReader.Text(Json, "reason");
    public long PromptTokens => JsonReader.Whole(Json, "prompt_tokens") ?? 0;
    public long Tokens => JsonReader.Whole(Json, "tokens") ?? 0;
    public long Reused => JsonReader.Whole(Json, "reused") ?? 0;
    public double? TtftMs => JsonReader.Number(Json, "ttft_ms");
    public double? DecodeTps => JsonReader.Number(Json, "decode_tps");
    public bool Loaded => JsonReader.Flag(Json, "loaded") ?? false;
}

/// <summary>What a bundle is here, CacheBytes of one slot; what it has not is null. Json has the engines too.</summary>
public sealed class Facts {
    internal Facts(string json) => Json = json;
    public string Json { get; }
    public string Kind => JsonReader.Text(Json, "kind");
    public string Variant => JsonReader.Text(Json, "variant");
    public string Ep => JsonReader.Text(Json, "ep");
    public long? Slots => JsonReader.Whole(Json, "slots");
    public long? MaxLength => JsonReader.Whole(Json, "max_length");
    public long? CacheBytes => JsonReader.Whole(Json, "cache_bytes");
    public bool? CanReuse => JsonReader.Flag(Json, "reuse");
    public bool? CanCancelInPrompt => JsonReader.Flag(Json, "cancel_in_prompt");
    public bool? CanTakeTools => JsonReader.Flag(Json, "tools");
}

/// <summary>Bytes that an answer would add to what the process has, Kv of Anon for key-value cache. Limit is what it
/// may still take; what the system does not tell is null.</summary>
public sealed class Room {
    internal Room(string json) => Json = json;
    public string Json { get; }
    public long Tokens => JsonReader.Whole(Json, "tokens") ?? 0;
    public long Anon => JsonReader.Whole(Json, "anon") ?? 0;
    public long Mapped => JsonReader.Whole(Json, "mapped") ?? 0;
    public long Kv => JsonReader.Whole(Json, "kv") ?? 0;
    public long? Free => JsonReader.Whole(Json, "free");
    public long? Limit => JsonReader.Whole(Json, "limit");
    public bool? Fits => JsonReader.Flag(Json, "fits");
    public string Why => JsonReader.Text(Json, "why");
}

/// <summary>What a picture may show. Score is as the model gives it, Label empty where the bundle has none.</summary>
public sealed class Category {
    internal Category(string json) => Json = json;
    public string Json { get; }
    public long Index => JsonReader.Whole(Json, "index") ?? -1;
    public string Label => JsonReader.Text(Json, "label");
    public double Score => JsonReader.Number(Json, "score") ?? double.NaN;
}

/// <summary>Reads what the core writes, where no key that is asked stands twice. A quote inside a text has a backslash
/// before it, so that "key": is a key.</summary>
internal static class JsonReader {
    private const string String = "\"(?<value>(?:[^\"\\\\]|\\\\.)*)\"";
    internal static string Text(string json, string key) => Regex.Unescape(Field(json, key, String) ?? "");
    internal static bool? Flag(string json, string key) =>
        Field(json, key, "(?<value>true|false)") is string flag ? flag == "true" : (bool?)null;
    internal static double? Number(string json, string key) =>
        Field(json, key, "(?<value>-?[0-9][0-9.eE+-]*)") is string number
            ? double.Parse(number, CultureInfo.InvariantCulture) : (double?)null;
    internal static long? Whole(string json, string key) => (long?)Number(json, key);
    /// <summary>Those that hold no other.</summary>
    internal static IEnumerable<string> Objects(string json) =>
        Regex.Matches(json, "\\{([^{}\"]|" + String + ")*\\}").Cast<Match>().Select(match => match.Value);
    private static string? Field(string json, string key, string value) =>
        Regex.Match(json, $"\"{key}\":{value}") is { Success: true } field ? field.Groups["value"].Value : null;
}
} // namespace Edgekit
