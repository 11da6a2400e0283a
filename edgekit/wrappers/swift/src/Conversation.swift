/// A conversation: its `history` is plain data, to be saved and to be given to the next. One turn at a time.
public final class Conversation: Sendable {
    private let bundle: ModelBundle
    private let settings: Settings
    private let messages: Guarded<[Message]>

    init(_ bundle: ModelBundle, _ history: [Message], _ settings: Settings) {
        (self.bundle, self.settings, messages) = (bundle, settings, Guarded(history))
    }

    /// All messages. An answer is the last as soon as it tells something; a turn that told nothing leaves no trace.
    public var history: [Message] { messages.with { $0 } }

    /// Say something; the answer is made while its events are read.
    public func send(_ text: String) -> Answer {
        Answer { try await self.turn(self.history + [Message("user", text)]) }
    }

    /// What a function gave for a call of the last answer. The model goes on when every call has its reply.
    public func reply(_ callId: String, _ json: String) -> Answer {
        Answer {
            let history = self.history
            let asking = history.lastIndex { !$0.calls.isEmpty } ?? history.startIndex
            guard let call = history.dropFirst(asking).first?.calls.first(where: { $0.id == callId }) else {
                let why = "no call of the last answer is '\(callId)'"
                throw Refused(code: "usage", message: why, next: "reply to each by its id")
            }
            let replied = history + [Message("tool", json, name: call.name)]
            if replied.count - 1 - asking >= history[asking].calls.count { return try await self.turn(replied) }
            self.messages.with { $0 = replied }
            return nil
        }
    }

    private func turn(_ asked: [Message]) async throws -> (run: Run, tell: @Sendable (Event) -> Void) {
        let run = try await bundle.respond(asked, settings: settings)
        let answer = Guarded(Message("assistant", ""))
        return (run, { event in
            answer.with { answer in
                switch event {
                case .text(let text): answer.content += text
                case .toolCall(let call): answer.calls.append(call)
                case .done(let done) where done.reason != "cancelled": break
                default: return
                }
                self.messages.with { $0 = asked + [answer] }
            }
        })
    }
}
