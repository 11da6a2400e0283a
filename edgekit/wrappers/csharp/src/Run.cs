using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;

namespace Edgekit {
/// <summary>An answer, which begins with its loop: await foreach (Event told in run). Each event is pulled. Leaving the
/// loop ends the answer, and so does a token: then the loop throws as is usual.</summary>
public sealed class Run : IAsyncEnumerable<Event> {
    private readonly Bundle _bundle;
    private readonly string _request;
    private readonly CancellationToken _token;
    private readonly object _lock = new object();
    private RunHandle? _handle;
    private bool _begun, _cancelled;

    internal Run(Bundle bundle, string request, CancellationToken token) =>
        (_bundle, _request, _token) = (bundle, request, token);
    /// <summary>End it, from any thread; the loop still gets what was made, and Done.</summary>
    public void Cancel() { lock (_lock) Hold(_handle, true); }

    public async IAsyncEnumerator<Event> GetAsyncEnumerator(CancellationToken token = default) {
        lock (_lock) _begun = _begun ? throw new InvalidOperationException("an answer is read once: ask again") : true;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(token, _token);
        using RunHandle run = await _bundle.Respond(_request, either.Token).ConfigureAwait(false);
        Hold(run);
        try {
            using CancellationTokenRegistration cancels = either.Token.Register(Cancel);
            for (Event? told = null; !(told is Done);) {
                told = await Task.Run(() => Native.Next(run)).ConfigureAwait(false);
                if (told is Done) either.Token.ThrowIfCancellationRequested();
                if (told != null) yield return told;
            }
        } finally { Hold(null); }
    }

    private void Hold(RunHandle? run, bool cancels = false) {
        lock (_lock) {
            (_handle, _cancelled) = (run, _cancelled || cancels);
            if (run != null && _cancelled) Native.edgekit_cancel(run);
        }
    }
}

/// <summary>A conversation, turn after turn. A turn stands in History when something of it was answered, also where its
/// loop was left. Save History, and give it back after the process's death.</summary>
public sealed class Conversation {
    private readonly Bundle _bundle;
    private readonly Request _settings;
    private readonly List<Message> _history;
    public IReadOnlyList<Message> History => _history;
    /// <param name="settings">Everything but the messages, for every turn.</param>
    public Conversation(Bundle bundle, IEnumerable<Message>? history = null, Request? settings = null) =>
        (_bundle, _history, _settings) = (bundle, history?.ToList() ?? new List<Message>(), settings ?? new Request());
    /// <summary>Say something; the answer begins with the loop over it.</summary>
    public IAsyncEnumerable<Event> Send(string text, CancellationToken token = default) =>
        Turn(new[] { new Message("user", text) }, token);
    /// <summary>What a function said. The answer follows the last reply to a turn; another has no events.</summary>
    public IAsyncEnumerable<Event> Reply(string callId, string json, CancellationToken token = default) {
        int asking = _history.FindLastIndex(message => message.ToolCalls?.Count > 0);
        ToolCall call = (asking < 0 ? null : _history[asking].ToolCalls?.FirstOrDefault(each => each.Id == callId)) ??
            throw new EdgekitException("usage", $"no call of the last answer is '{callId}'", "reply by its id", "");
        var reply = new Message("tool", json) { Name = call.Name };
        if (_history.Count - asking >= _history[asking].ToolCalls!.Count) return Turn(new[] { reply }, token);
        _history.Add(reply);
        return Turn(Array.Empty<Message>(), token);
    }

    private async IAsyncEnumerable<Event> Turn(Message[] added, [EnumeratorCancellation] CancellationToken token) {
        if (added.Length == 0) yield break;
        var all = new List<Event>();
        Request request = _settings.Clone();
        request.Messages = _history.Concat(added).ToList();
        try {
            await foreach (Event told in _bundle.RespondAsync(request, token).ConfigureAwait(false)) {
                all.Add(told);
                yield return told;
            }
        } finally {
            var answer = new Message("assistant", string.Concat(all.OfType<Text>().Select(piece => piece.Value)));
            if (all.OfType<ToolCall>().Any()) answer.ToolCalls = all.OfType<ToolCall>().ToList();
            bool ended = all.LastOrDefault() is Done done && done.Reason != "cancelled";
            if (ended || answer.Content != "" || answer.ToolCalls != null) _history.AddRange(added.Append(answer));
        }
    }
}
} // namespace Edgekit
