// What extensions/EdgekitChatClient.cs takes of Microsoft.Extensions.AI.Abstractions, which is on NuGet alone.
// Declarations after its public sources, only to compile against: that the real package agrees is not shown by it.
using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;

namespace Microsoft.Extensions.AI {
    public interface IChatClient : IDisposable {
        Task<ChatResponse> GetResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null,
            CancellationToken cancellationToken = default);
        IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null,
            CancellationToken cancellationToken = default);
        object? GetService(Type serviceType, object? serviceKey = null);
    }

    public readonly struct ChatRole {
        public static ChatRole Assistant => throw null!;
        public string Value => throw null!;
    }

    public readonly struct ChatFinishReason {
        public static ChatFinishReason Stop => throw null!;
        public static ChatFinishReason Length => throw null!;
    }

    public class ChatMessage {
        public ChatRole Role { get; set; }
        public string Text => throw null!;
        public IList<AIContent> Contents { get; set; } = null!;
    }

    public class ChatResponse { }

    public class ChatResponseUpdate {
        public ChatResponseUpdate(ChatRole? role, IList<AIContent>? contents) { }
        public ChatFinishReason? FinishReason { get; set; }
    }

    public static class ChatResponseExtensions {
        public static ChatResponse ToChatResponse(this IEnumerable<ChatResponseUpdate> updates) => throw null!;
    }

    public class AIContent { }

    public sealed class TextContent : AIContent { public TextContent(string? text) { } }

    public sealed class TextReasoningContent : AIContent { public TextReasoningContent(string? text) { } }

    public class FunctionCallContent : AIContent {
        public FunctionCallContent(string callId, string name, IDictionary<string, object?>? arguments = null) { }
        public string CallId => throw null!;
        public string Name => throw null!;
        public IDictionary<string, object?>? Arguments { get; set; }
    }

    public class FunctionResultContent : AIContent {
        public FunctionResultContent(string callId, object? result) { }
        public string CallId => throw null!;
        public object? Result { get; set; }
    }

    public class ChatOptions {
        public float? Temperature { get; set; }
        public int? MaxOutputTokens { get; set; }
        public float? TopP { get; set; }
        public int? TopK { get; set; }
        public long? Seed { get; set; }
        public IList<string>? StopSequences { get; set; }
        public ChatResponseFormat? ResponseFormat { get; set; }
        public ChatToolMode? ToolMode { get; set; }
        public IList<AITool>? Tools { get; set; }
    }

    public class ChatResponseFormat { }

    public sealed class ChatResponseFormatJson : ChatResponseFormat { public JsonElement? Schema => throw null!; }

    public class ChatToolMode { }

    public sealed class NoneChatToolMode : ChatToolMode { }

    public sealed class RequiredChatToolMode : ChatToolMode { }

    public abstract class AITool {
        public virtual string Name => throw null!;
        public virtual string Description => throw null!;
    }

    public abstract class AIFunctionDeclaration : AITool { public virtual JsonElement JsonSchema => throw null!; }
}
