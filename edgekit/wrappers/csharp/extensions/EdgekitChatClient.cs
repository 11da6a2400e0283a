// Microsoft.Extensions.AI's IChatClient over an open bundle: a file for apps that have that package, and no part of the
// face.
//
// Never compiled against the real package, which is on NuGet alone: no NuGet could be reached where this was written.
// It was compiled against declarations after the public sources of Microsoft.Extensions.AI.Abstractions.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.AI;

namespace Edgekit {
/// <summary>A bundle as an IChatClient. The bundle is the app's: it is not closed with this.</summary>
public sealed class EdgekitChatClient : IChatClient {
    private readonly Bundle _bundle;

    public EdgekitChatClient(Bundle bundle) => _bundle = bundle;

    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) {
        var updates = new List<ChatResponseUpdate>();
        await foreach (ChatResponseUpdate update in GetStreamingResponseAsync(messages, options, cancellationToken)
                           .ConfigureAwait(false)) updates.Add(update);
        return updates.ToChatResponse();
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default) {
        await foreach (Event told in _bundle.RespondAsync(Asked(messages.ToList(), options), cancellationToken)
                           .ConfigureAwait(false)) {
            AIContent? content = told switch {
                Text text => new TextContent(text.Value),
                Thought thought => new TextReasoningContent(thought.Value),
                ToolCall call => new FunctionCallContent(call.Id, call.Name,
                    JsonSerializer.Deserialize<Dictionary<string, object?>>(call.Json)),
                _ => (AIContent?)null,
            };
            if (content != null) yield return Update(content);
            if (told is Done done) {
                bool cut = done.Reason == "length" || done.Reason == "max_length";
                ChatResponseUpdate last = Update();
                last.FinishReason = cut ? ChatFinishReason.Length : ChatFinishReason.Stop;
                yield return last;
            }
        }
    }

    public object? GetService(Type serviceType, object? serviceKey = null) {
        if (serviceKey != null) return null;
        return serviceType == typeof(Bundle) ? _bundle : serviceType.IsInstanceOfType(this) ? this : (object?)null;
    }

    public void Dispose() { }

    private static ChatResponseUpdate Update(params AIContent[] contents) =>
        new ChatResponseUpdate(ChatRole.Assistant, contents.ToList());

    private static Request Asked(List<ChatMessage> messages, ChatOptions? options) {
        var names = messages.SelectMany(message => message.Contents).OfType<FunctionCallContent>()
            .GroupBy(call => call.CallId).ToDictionary(call => call.Key, call => call.Last().Name);
        List<Tool>? tools = options?.Tools?.OfType<AIFunctionDeclaration>()
            .Select(tool => new Tool(tool.Name, tool.Description, tool.JsonSchema.GetRawText())).ToList();
        return new Request {
            Messages = messages.SelectMany(message => Turns(message, names)).ToList(),
            MaxTokens = options?.MaxOutputTokens,
            Stop = options?.StopSequences?.ToList(),
            Temperature = options?.Temperature,
            TopK = options?.TopK,
            TopP = options?.TopP,
            Seed = options?.Seed,
            Tools = tools?.Count > 0 && !(options?.ToolMode is NoneChatToolMode) ? tools : null,
            Call = options?.ToolMode is RequiredChatToolMode ? "required" : null,
            JsonSchema = (options?.ResponseFormat as ChatResponseFormatJson)?.Schema?.GetRawText(),
        };
    }

    // A message with what functions said is a turn for each.
    private static IEnumerable<Message> Turns(ChatMessage message, Dictionary<string, string> names) {
        List<FunctionResultContent> results = message.Contents.OfType<FunctionResultContent>().ToList();
        foreach (FunctionResultContent result in results) {
            string said = result.Result as string ?? JsonSerializer.Serialize(result.Result);
            names.TryGetValue(result.CallId, out string? name);
            yield return new Message("tool", said) { Name = name };
        }
        if (results.Count > 0) yield break;
        List<ToolCall> calls = message.Contents.OfType<FunctionCallContent>()
            .Select(call => new ToolCall(call.CallId, call.Name, JsonSerializer.Serialize(call.Arguments))).ToList();
        yield return new Message(message.Role.Value, message.Text) { ToolCalls = calls.Count > 0 ? calls : null };
    }
}
} // namespace Edgekit
