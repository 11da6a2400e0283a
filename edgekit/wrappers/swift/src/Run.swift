import CEdgekit
import Dispatch

/// An answer that is being made. It waits for its reader; at most 64 events are made ahead. Who lets go of it ends it.
public final class Run: Sendable {
    private let handle: Handle
    private let bundle: ModelBundle // which an answer keeps open
    private let thread = DispatchQueue(label: "edgekit answer") // its own: who waits for one stops no other's reader

    init(_ handle: Handle, of bundle: ModelBundle) { (self.handle, self.bundle) = (handle, bundle) }

    deinit { edgekit_run_free(handle.pointer) } // no event is awaited: who waits holds this

    /// The next event; after `done` it comes again. Cancelling the Task ends the answer, in its prompt too.
    public func next() async throws -> Event {
        let event = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiting in
                thread.async { waiting.resume(with: Result { try self.read() }) }
            }
        } onCancel: { cancel() }
        try Task.checkCancellation()
        return event
    }

    /// Every event that is left. Leaving the loop ends the answer.
    public var events: Answer { Answer { (self, { _ in }) } }

    /// End it, from any thread; what was made is still told, and the bundle can be asked again at once.
    public func cancel() { edgekit_cancel(handle.pointer) }

    private func read() throws -> Event {
        while true {
            var event = edgekit_event()
            event.size = MemoryLayout<edgekit_event>.stride
            try check(edgekit_next(handle.pointer, &event))
            switch Int(event.kind) {
            case EDGEKIT_PROGRESS: return .progress(read: Int(event.read), of: Int(event.of))
            case EDGEKIT_TEXT: return .text(String(event.text))
            case EDGEKIT_THOUGHT: return .thought(String(event.text))
            case EDGEKIT_TOOL_CALL:
                let (id, name) = (String(event.id), String(event.name))
                return .toolCall(ToolCall(id: id, name: name, arguments: String(event.text)))
            case EDGEKIT_DONE: return .done(try Json.read(String(event.text)))
            default: continue // of others, which a later library may have, this face knows nothing
            }
        }
    }
}

/// The events of an answer, each pulled when the loop asks. It is asked for by the loop; another loop asks anew.
public struct Answer: AsyncSequence, Sendable {
    public typealias Element = Event
    typealias Begin = @Sendable () async throws -> (run: Run, tell: @Sendable (Event) -> Void)?

    private let begin: Begin
    init(_ begin: @escaping Begin) { self.begin = begin }
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(begin) }

    public struct AsyncIterator: AsyncIteratorProtocol, Sendable {
        private final class Reader: Sendable {
            let run: Run
            let tell: @Sendable (Event) -> Void
            init(_ run: Run, _ tell: @escaping @Sendable (Event) -> Void) { (self.run, self.tell) = (run, tell) }
            deinit { run.cancel() }
        }

        private let begin: Begin
        private var reader: Reader?
        private var ended = false
        init(_ begin: @escaping Begin) { self.begin = begin }

        public mutating func next() async throws -> Event? {
            guard !ended else { return nil }
            ended = true // where it throws, too
            if reader == nil { reader = try await begin().map { Reader($0.run, $0.tell) } }
            guard let event = try await reader?.run.next() else { return nil }
            reader?.tell(event)
            if case .done = event { reader = nil } else { ended = false }
            return event
        }
    }
}
