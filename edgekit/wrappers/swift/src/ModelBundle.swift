import CEdgekit
import Dispatch
import Foundation

/// An open bundle, for any thread. What it is asked is done on a thread of its own, one after another, so no call holds
/// one of Swift's. What fails throws `Refused`. Who lets go of it closes it.
public final class ModelBundle: Sendable {
    private struct Weak { weak var run: Run? }
    private typealias Ask = @Sendable (OpaquePointer, Lent, inout OpaquePointer?) -> OpaquePointer?

    private let thread = DispatchQueue(label: "edgekit")
    private let handle = Guarded<Handle?>(nil) // changed on `thread` alone
    private let answers = Guarded<(paused: Refused?, all: [Weak])>((nil, []))

    private init() {}

    deinit {
        if let handle = handle.with({ $0 }) { thread.async { edgekit_close(handle.pointer) } }
    }

    /// Check a bundle's folder, choose the variant that runs here, and load it.
    public static func open(_ folder: URL, options: Options = Options()) async throws -> ModelBundle {
        try Task.checkCancellation()
        let bundle = ModelBundle()
        try await bundle.done { try bundle.load(folder.path, options) }
        if Task.isCancelled { await bundle.close() }
        try Task.checkCancellation()
        return bundle
    }

    public func facts() async throws -> Facts { try await document { edgekit_facts($0, &$2) } }

    /// Whether there is memory for an answer to so many tokens.
    public func preflight(tokens: Int, settings: Settings = Settings()) async throws -> Preflight {
        try await preflight(settings.request("tokens", String(tokens)))
    }

    /// Likewise, to these messages: they load the model, and are refused while an answer is being made.
    public func preflight(_ messages: [Message], settings: Settings = Settings()) async throws -> Preflight {
        try await preflight(settings.request(messages))
    }

    /// Begin an answer to a whole conversation; what a slot holds of its beginning is not read again.
    public func respond(_ messages: [Message], settings: Settings = Settings()) async throws -> Run {
        try await respond(request: settings.request(messages))
    }

    /// Begin an answer to a text without a template.
    public func respond(prompt: String, settings: Settings = Settings()) async throws -> Run {
        try await respond(request: settings.request("prompt", Json.quoted(prompt)))
    }

    /// Begin an answer to a request as edgekit.h has it, a JSON object.
    public func respond(request: String) async throws -> Run {
        let run = try await asked { bundle in
            if let why = self.answers.with({ $0.paused }) { throw why }
            var made: OpaquePointer?
            try check(Lent.of { edgekit_respond(bundle, $0.text(request), &made) })
            let run = Run(Handle(pointer: made!), of: self)
            self.answers.with { answers in
                answers.all.removeAll { $0.run == nil }
                answers.all.append(Weak(run: run))
                if answers.paused != nil { run.cancel() } // meanwhile
            }
            return run
        }
        try Task.checkCancellation()
        return run
    }

    /// The events of `respond`.
    public func answer(_ messages: [Message], settings: Settings = Settings()) -> Answer {
        Answer { (try await self.respond(messages, settings: settings), { _ in }) }
    }

    /// A conversation that goes on from `history`.
    public func conversation(_ history: [Message] = [], settings: Settings = Settings()) -> Conversation {
        Conversation(self, history, settings)
    }

    /// End what is being answered, at its next token, and refuse new answers with `why` until `resume`.
    public func pause(_ why: Refused) {
        answers.with { answers in
            answers.paused = why
            answers.all.forEach { $0.run?.cancel() }
        }
    }

    public func resume() { answers.with { $0.paused = nil } }

    /// Give memory back: its bytes. What is needed again is loaded by itself; what an answer uses goes at its end.
    public func trim(_ what: Part) async throws -> Int {
        try await asked { bundle in
            var freed: Int64 = 0
            try check(edgekit_trim(bundle, what.rawValue, &freed))
            return Int(freed)
        }
    }

    /// Run a model of tensors once.
    public func infer(_ inputs: [String: Tensor], outputs: [String]) async throws -> [String: Tensor] {
        try await asked { bundle in
            let asked = Dictionary(outputs.map { ($0, nil as TensorView?) }, uniquingKeysWith: { $1 })
            return try Tensor.lend(Array(inputs)) { try TensorView.infer(bundle, $0, asked) }
        }
    }

    /// Likewise, on the caller's thread and memory: inputs are read, outputs are written, where they lie. An output of
    /// nil is made by the engine, and comes back.
    @discardableResult
    public func infer(_ inputs: [String: TensorView], into outputs: [String: TensorView?]) throws -> [String: Tensor] {
        try thread.sync { try TensorView.infer(opened(), inputs, outputs) }
    }

    /// What a picture shows, the best first. Its pixels: in equal rows from the top, of a format as edgekit.h has it.
    public func classify(_ pixels: Data, width: Int, height: Int, top: Int = 5, pixelFormat: String = "rgb8") async throws
        -> [Category] {
        let told: [String: [Category]] = try await document { bundle, lent, made in pixels.withUnsafeBytes { rows in
            var picture = TensorView.described("picture", TensorView(pixelFormat, [height, width], rows), lent)
            return edgekit_classify(bundle, &picture, Int32(clamping: top), &made)
        } }
        return told["classes"]!
    }

    /// Cancel what is being answered, wait for its end and let go of the model. Once more does nothing.
    public func close() async {
        try? await done {
            if let handle = self.handle.with({ $0 }) { edgekit_close(handle.pointer) }
            self.handle.with { $0 = nil }
        }
    }

    private func load(_ folder: String, _ options: Options) throws {
        guard edgekit_abi() == EDGEKIT_ABI else {
            let (why, next) = ("edgekit's library is of another version", "ship it and this code of one edgekit")
            throw Refused(code: "tool-missing", message: why, next: next, axis: "abi")
        }
        var told = edgekit_open_options()
        told.size = MemoryLayout<edgekit_open_options>.stride
        let flags = [(options.verify, EDGEKIT_VERIFY), (options.foreign, EDGEKIT_FOREIGN), (options.lazy, EDGEKIT_LAZY)]
        told.flags = flags.reduce(0) { $0 | ($1.0 ? UInt32($1.1) : 0) }
        (told.threads, told.piece) = (Int32(clamping: options.threads), Int32(clamping: options.piece))
        told.slots = options.slots == 0 ? -1 : Int32(clamping: options.slots)
        var made: OpaquePointer?
        try check(Lent.of { lent in
            (told.variant, told.onnxruntime) = (lent.text(options.variant), lent.text(options.onnxruntime))
            (told.genai, told.genai_version) = (lent.text(options.genai), lent.text(options.genaiVersion))
            return edgekit_open(lent.text(folder), &told, &made)
        })
        handle.with { $0 = made.map(Handle.init) }
    }

    private func opened() throws -> OpaquePointer {
        if let handle = handle.with({ $0 }) { return handle.pointer }
        throw Refused(code: "closed", message: "the bundle was closed", next: "open it again")
    }

    private func done<Value: Sendable>(_ call: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { waiting in
            thread.async { waiting.resume(with: Result { try call() }) }
        }
    }

    private func asked<Made: Sendable>(_ ask: @escaping @Sendable (OpaquePointer) throws -> Made) async throws -> Made {
        try Task.checkCancellation()
        return try await done { try ask(self.opened()) }
    }

    private func preflight(_ request: String) async throws -> Preflight {
        try await document { edgekit_preflight($0, $1.text(request), &$2) }
    }

    private func document<Value: Decodable & Sendable>(_ ask: @escaping Ask) async throws -> Value {
        try await asked { bundle in
            var made: OpaquePointer?
            try check(Lent.of { ask(bundle, $0, &made) })
            defer { edgekit_document_free(made) }
            return try Json.read(String(edgekit_document_text(made)))
        }
    }
}
