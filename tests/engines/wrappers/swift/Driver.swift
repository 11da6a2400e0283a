// The Swift face as a process: a request as JSON a line of stdin, an answer as JSON a line of the file that is named.
// {"value": ...}, {"refused": {code, message, next, axis}}; anything else ends the process.
import Edgekit
import Foundation

struct Asked: Decodable {
    struct Said: Decodable {
        var messages: [Message]?
        var prompt, call, json_schema: String?
        var max_tokens, top_k, seed: Int?
        var temperature, top_p, min_p, repetition_penalty: Double?
        var stop: [String]?
        var tools: [Named]?
        var think: Bool?
    }

    struct Named: Decodable {
        let name, parameters: String
        let description: String?
    }

    struct Array: Decodable {
        let type: String
        let shape: [Int]
        let data: Data
    }

    let `do`: String
    var folder, variant, onnxruntime, genai, genai_version: String?
    var verify, foreign, lazy, in_prompt: Bool?
    var bundle, chat, slots, threads, piece, pieces, chars, events, tokens, rounds, width, height, top, floats, ms: Int?
    var request, said: Said? // said: request, or what stands beside it
    var raw, text, id, json, what, format: String?
    var pixels: Data?
    var inputs: [String: Array]?
    var outputs: [String: Array?]?
}

@main @MainActor
struct Driver {
    static var bundles: [Int: ModelBundle] = [:]
    static var chats: [Int: Conversation] = [:]

    static func main() async throws {
        let answers = FileHandle(forWritingAtPath: CommandLine.arguments[1])!
        while let line = readLine() {
            let answer: [String: Any]
            do {
                var asked = try JSONDecoder().decode(Asked.self, from: Data(line.utf8))
                asked.said = try asked.request ?? JSONDecoder().decode(Asked.Said.self, from: Data(line.utf8))
                answer = ["value": try await serve(asked)]
            } catch let why as Refused {
                answer = ["refused": ["code": why.code, "message": why.message, "next": why.next, "axis": why.axis]]
            } catch is CancellationError {
                answer = ["refused": ["code": "cancelled", "message": "", "next": "", "axis": ""]]
            }
            var told = try JSONSerialization.data(withJSONObject: answer)
            told.append(UInt8(ascii: "\n"))
            answers.write(told)
        }
    }

    static func serve(_ asked: Asked) async throws -> Any {
        var bundle: ModelBundle { bundles[asked.bundle!]! }
        var chat: Conversation { chats[asked.chat!]! }
        switch asked.do {
        case "open":
            bundles[bundles.count] = try await ModelBundle.open(URL(fileURLWithPath: asked.folder!), options: options(asked))
            return bundles.count - 1
        case "close":
            await bundle.close()
        case "drop":
            bundles[asked.bundle!] = nil
        case "facts": return try json(await bundle.facts())
        case "preflight":
            let settings = settings(asked.said!)
            if let messages = asked.said!.messages { return try json(await bundle.preflight(messages, settings: settings)) }
            return try json(await bundle.preflight(tokens: asked.tokens!, settings: settings))
        case "answer": return try await answer(bundle, asked)
        case "request": return try await all(bundle.respond(request: asked.raw!).events)
        case "two": return try await several(bundle, asked, 1)
        case "several": return try await several(bundle, asked, ProcessInfo.processInfo.activeProcessorCount + 2)
        case "leave": return try await all(bundle.answer(asked.said!.messages!, settings: settings(asked.said!)), asked.events)
        case "cancel": return try await cancelled(bundle, asked)
        case "early": return try await early(asked)
        case "pause": return try await pause(bundle, asked)
        case "closed": return try await closed(bundle, asked)
        case "slow": return try await slow(bundle, asked)
        case "trim": return try await bundle.trim(asked.what == "caches" ? .caches : .weights)
        case "infer": return try await infer(bundle, asked)
        case "large": return try large(bundle, asked)
        case "classify":
            let (width, height, top) = (asked.width!, asked.height!, asked.top!)
            let format = asked.format ?? "rgb8"
            return try await json(
                bundle.classify(asked.pixels!, width: width, height: height, top: top, pixelFormat: format))
        case "chat":
            chats[chats.count] = bundle.conversation(asked.said!.messages ?? [], settings: settings(asked.said!))
            return chats.count - 1
        case "send": return try await all(chat.send(asked.text!), asked.events)
        case "reply": return try await all(chat.reply(asked.id!, asked.json!))
        case "history": return try json(chat.history)
        case "readme": return try JSONSerialization.jsonObject(with: Data(await readme(asked.folder!).utf8))
        case "cycles": return try await cycles(asked)
        default: fatalError("there is no \(asked.do)")
        }
        return NSNull()
    }

    static func options(_ asked: Asked) -> Options {
        var options = Options()
        (options.verify, options.foreign) = (asked.verify ?? false, asked.foreign ?? false)
        (options.lazy, options.slots) = (asked.lazy ?? false, asked.slots ?? 1)
        (options.threads, options.piece, options.variant) = (asked.threads ?? 0, asked.piece ?? 0, asked.variant)
        (options.onnxruntime, options.genai) = (asked.onnxruntime, asked.genai)
        options.genaiVersion = asked.genai_version
        return options
    }

    nonisolated static func settings(_ said: Asked.Said) -> Settings {
        let tools = said.tools?.map { Tool($0.name, $0.description, parameters: $0.parameters) }
        var settings = Settings(
            maxTokens: said.max_tokens, temperature: said.temperature, tools: tools, jsonSchema: said.json_schema)
        (settings.call, settings.stop, settings.topK, settings.topP) = (said.call, said.stop, said.top_k, said.top_p)
        (settings.minP, settings.repetitionPenalty) = (said.min_p, said.repetition_penalty)
        (settings.seed, settings.think) = (said.seed, said.think)
        return settings
    }

    static func respond(_ bundle: ModelBundle, _ said: Asked.Said) async throws -> Run {
        if let prompt = said.prompt { return try await bundle.respond(prompt: prompt, settings: settings(said)) }
        return try await bundle.respond(said.messages!, settings: settings(said))
    }

    static func json(_ value: some Encodable) throws -> Any {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return try JSONSerialization.jsonObject(with: encoder.encode(value))
    }

    nonisolated static func told(_ event: Event) -> [String: Any] {
        switch event {
        case .progress(let read, let of): ["kind": "progress", "read": read, "of": of]
        case .text(let text): ["kind": "text", "text": text]
        case .thought(let text): ["kind": "thought", "text": text]
        case .toolCall(let call): ["kind": "call", "id": call.id, "name": call.name, "arguments": call.arguments]
        case .done(let done): [
                "kind": "done", "reason": done.reason, "prompt_tokens": done.promptTokens, "tokens": done.tokens,
                "reused": done.reused, "loaded": done.loaded, "ttft_ms": done.ttftMs ?? NSNull(),
                "decode_tps": done.decodeTps ?? NSNull(),
            ] as [String: Any]
        }
    }

    /// What is told, or the first `most` of it: then the loop is left.
    static func all(_ answer: Answer, _ most: Int? = nil) async throws -> [[String: Any]] {
        var events: [[String: Any]] = []
        for try await event in answer {
            events.append(told(event))
            if events.count == most { break }
        }
        return events
    }

    /// Everything that is told; another thread cancels once `pieces` of the prompt and `chars` of the text were.
    static func answer(_ bundle: ModelBundle, _ asked: Asked) async throws -> Any {
        let run = try await respond(bundle, asked.said!)
        var (events, pieces, chars) = ([Event](), 0, 0)
        repeat {
            events.append(try await run.next())
            if case .progress = events.last! { pieces += 1 }
            if case .text(let text) = events.last! { chars += text.unicodeScalars.count }
            if pieces >= asked.pieces ?? .max, chars >= asked.chars ?? .max { await Task.detached { run.cancel() }.value }
        } while !ended(events.last!)
        let again = try await run.next()
        precondition(again == events.last!)
        return events.map(told)
    }

    static func ended(_ event: Event) -> Bool {
        if case .done = event { true } else { false }
    }

    nonisolated static func text(_ events: Answer) async throws -> String {
        var text = ""
        for try await case .text(let more) in events { text += more }
        return text
    }

    /// Answers at once; all but the first wait for an event before it is read.
    static func several(_ bundle: ModelBundle, _ asked: Asked, _ more: Int) async throws -> Any {
        let first = try await respond(bundle, asked.said!)
        var later: [Task<String, Error>] = []
        for _ in 0..<more {
            let run = try await respond(bundle, asked.said!)
            later.append(Task.detached { try await text(run.events) })
        }
        try await Task.sleep(nanoseconds: 100_000_000)
        var texts = [try await text(first.events)]
        for task in later { texts.append(try await task.value) }
        return texts
    }

    /// Whether the Task that reads throws as is usual when it is cancelled, at its first text or in its prompt.
    static func cancelled(_ bundle: ModelBundle, _ asked: Asked) async throws -> Bool {
        let (begun, begins) = AsyncStream.makeStream(of: Void.self)
        let reading = Task.detached {
            for try await event in bundle.answer(asked.said!.messages!, settings: settings(asked.said!)) {
                if case .text = event { begins.yield() }
                if asked.in_prompt == true { begins.yield() }
            }
        }
        for await _ in begun { break }
        reading.cancel()
        if case .failure(let why) = await reading.result { return why is CancellationError }
        return false
    }

    /// To open, and to ask, in a Task that was cancelled before.
    static func early(_ asked: Asked) async throws -> String {
        try await Task {
            withUnsafeCurrentTask { $0!.cancel() }
            return try await ModelBundle.open(URL(fileURLWithPath: asked.folder!)).facts().kind
        }.value
    }

    /// What an answer told that was paused in its middle, and why the next is refused.
    static func pause(_ bundle: ModelBundle, _ asked: Asked) async throws -> Any {
        var events: [[String: Any]] = []
        for try await event in try await respond(bundle, asked.said!).events {
            events.append(told(event))
            if case .text = event { bundle.pause(Refused(code: "usage", message: "not now")) }
        }
        do {
            _ = try await respond(bundle, asked.said!)
        } catch let why as Refused {
            bundle.resume()
            return [events, why.message] as [Any]
        }
        fatalError("it answers")
    }

    /// What an answer tells whose bundle is closed after its first text.
    static func closed(_ bundle: ModelBundle, _ asked: Asked) async throws -> Any {
        var events: [[String: Any]] = []
        for try await event in try await respond(bundle, asked.said!).events {
            events.append(told(event))
            if case .text = event { await bundle.close() }
        }
        return events
    }

    static func slow(_ bundle: ModelBundle, _ asked: Asked) async throws -> Any {
        var events: [[String: Any]] = []
        for try await event in try await respond(bundle, asked.said!).events {
            events.append(told(event))
            try await Task.sleep(nanoseconds: UInt64(asked.ms!) * 1_000_000)
        }
        return events
    }

    /// In place and, where no output has a place, awaited too: both make the same.
    static func infer(_ bundle: ModelBundle, _ asked: Asked) async throws -> Any {
        let made = try views(bundle, asked)
        if asked.outputs!.values.allSatisfy({ $0 == nil }) {
            let inputs = asked.inputs!.mapValues { Tensor($0.type, $0.shape, $0.data) }
            let awaited = try await bundle.infer(inputs, outputs: Array(asked.outputs!.keys))
            precondition(awaited == made)
        }
        return made.mapValues(written)
    }

    /// As many floats through a net that gives back what it is fed, from memory of ours into memory of ours.
    static func large(_ bundle: ModelBundle, _ asked: Asked) throws -> Any {
        let (x, shape) = ((0..<asked.floats!).map { Float($0) }, [1, 1, 1, asked.floats!])
        var y = [Float](repeating: 0, count: x.count)
        try x.withUnsafeBytes { input in
            try y.withUnsafeMutableBytes { output in
                let views = [TensorView("float32", shape, input), TensorView("float32", shape, output)]
                _ = try bundle.infer(["x": views[0]], into: ["y": views[1]])
            }
        }
        return x == y
    }

    /// All arrays lie in one block, each at an odd end of the one before.
    static func views(_ bundle: ModelBundle, _ asked: Asked) throws -> [String: Tensor] {
        let own = asked.outputs!.compactMapValues { $0 }
        let size = asked.inputs!.values.map(\.data.count).reduce(0, +) + own.values.map(\.data.count).reduce(0, +)
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: size + 64 * (asked.inputs!.count + own.count), alignment: 64)
        defer { block.deallocate() }
        var at = 0
        func placed(_ array: Asked.Array) -> UnsafeMutableRawBufferPointer {
            let place = UnsafeMutableRawBufferPointer(rebasing: block[at..<at + array.data.count])
            place.copyBytes(from: array.data)
            at = (at + array.data.count + 63) / 64 * 64
            return place
        }
        let inputs = asked.inputs!.mapValues { TensorView($0.type, $0.shape, UnsafeRawBufferPointer(placed($0))) }
        let places = own.mapValues { placed($0) }
        let outputs = asked.outputs!.reduce(into: [String: TensorView?]()) { all, output in
            all.updateValue(output.value.map { TensorView($0.type, $0.shape, places[output.key]!) }, forKey: output.key)
        }
        var made = try bundle.infer(inputs, into: outputs)
        for (name, array) in own { made[name] = Tensor(array.type, array.shape, Data(places[name]!)) }
        return made
    }

    nonisolated static func written(_ tensor: Tensor) -> [String: Any] {
        ["type": tensor.type, "shape": tensor.shape, "data": tensor.data.base64EncodedString()]
    }

    /// Threads, descriptors and anonymous memory of this process after the first half of the rounds, and at the end.
    static func cycles(_ asked: Asked) async throws -> Any {
        var counts: [[Int]] = []
        for round in 0...asked.rounds! {
            if round == asked.rounds! / 2 || round == asked.rounds! {
                let memory = try String(contentsOfFile: "/proc/self/smaps_rollup", encoding: .utf8)
                let anonymous = memory.split(separator: "\n").first { $0.hasPrefix("Anonymous:") }!
                let kilobytes = Int(anonymous.split(separator: " ")[1])!
                let files = FileManager.default
                counts.append(try ["task", "fd"].map { try files.contentsOfDirectory(atPath: "/proc/self/\($0)").count } + [kilobytes])
            }
            if round == asked.rounds! { break }
            let bundle = try await ModelBundle.open(URL(fileURLWithPath: asked.folder!))
            for try await event in bundle.answer(asked.said!.messages!, settings: settings(asked.said!)) {
                if case .text = event { break }
            }
            if round % 2 == 0 || round % 100 >= 90 { await bundle.close() } // the others are let go of, and close by themselves
        }
        return counts
    }
}
