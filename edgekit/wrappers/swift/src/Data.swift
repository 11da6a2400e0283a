import Foundation

/// Why something was not done. `code` is one of edgekit.h's ("bundle", "usage" ...), `next` what to do, `axis` what of the
/// bundle or the machine is to blame ("abi", "min_onnxruntime" ...); the last two may be empty.
public struct Refused: LocalizedError, Equatable, Sendable, CustomStringConvertible {
    public let code, message, next, axis: String

    public init(code: String, message: String, next: String = "", axis: String = "") {
        (self.code, self.message, self.next, self.axis) = (code, message, next, axis)
    }

    public var description: String { next.isEmpty ? message : "\(message): \(next)" }
    public var errorDescription: String? { description }
}

/// How a bundle is opened. `verify` compares every byte with the manifest (at install), `foreign` runs another platform's
/// bundle on the CPU, for a look at its outputs, `lazy` loads the model when a call needs it.
public struct Options: Sendable {
    public var verify = false, foreign = false, lazy = false
    /// Key-value caches that are kept, each of the bundle's max_length; 0: none.
    public var slots = 1
    /// Of one operator, and tokens of a prompt that are read at once; 0: as the engine and the library choose.
    public var threads = 0, piece = 0
    /// By name; nil: the first that runs here.
    public var variant: String?
    /// The engines' files; nil: beside edgekit's library, or in the app already. GenAI does not tell its version.
    public var onnxruntime, genai, genaiVersion: String?
    public init() {}
}

/// What is told while an answer is made.
public enum Event: Equatable, Sendable {
    /// Of the prompt's `of` tokens `read` are read.
    case progress(read: Int, of: Int)
    /// Whole characters of the answer.
    case text(String)
    case thought(String)
    case toolCall(ToolCall)
    /// The last.
    case done(Done)
}

/// A function that the model asks for; `arguments` is a JSON object.
public struct ToolCall: Codable, Equatable, Sendable {
    public let id, name, arguments: String
    public init(id: String, name: String, arguments: String) {
        (self.id, self.name, self.arguments) = (id, name, arguments)
    }
}

/// An answer's end. `reason`: eos, stop, length, max_length or cancelled; `loaded`: the model had to be, for this.
public struct Done: Codable, Equatable, Sendable {
    public let reason: String, promptTokens, tokens, reused: Int, ttftMs, decodeTps: Double?, loaded: Bool
}

/// One message of a conversation, to be encoded and decoded as an app likes. `calls` are an assistant's; `name` is that
/// of the function which a "tool" answers for.
public struct Message: Codable, Equatable, Sendable {
    public var role, content: String, calls: [ToolCall], name: String?

    public init(_ role: String, _ content: String, calls: [ToolCall] = [], name: String? = nil) {
        (self.role, self.content, self.calls, self.name) = (role, content, calls, name)
    }

    var json: String {
        let asked = calls.map { call in
            let function = Json.object(["name": Json.quoted(call.name), "arguments": call.arguments])
            return Json.object(["id": Json.quoted(call.id), "type": "\"function\"", "function": function])
        }
        return Json.object([
            "role": Json.quoted(role), "content": Json.quoted(content), "name": name.map(Json.quoted),
            "tool_calls": asked.isEmpty ? nil : Json.list(asked),
        ])
    }
}

/// A function that the model may ask for; `parameters` is a JSON schema.
public struct Tool: Equatable, Sendable {
    public let name, parameters: String, description: String?

    public init(_ name: String, _ description: String? = nil, parameters: String) {
        (self.name, self.description, self.parameters) = (name, description, parameters)
    }

    var json: String {
        let said = description.map(Json.quoted)
        let function = Json.object(["name": Json.quoted(name), "description": said, "parameters": parameters])
        return Json.object(["type": "\"function\"", "function": function])
    }
}

/// How an answer is made; nil: as the bundle has it. `temperature` 0 is greedy, `call` is auto, required or unguided,
/// `jsonSchema` is what the answer is held to, `speculate` is ngram.
public struct Settings: Equatable, Sendable {
    public var maxTokens, topK, seed: Int?, temperature, topP, minP, repetitionPenalty: Double?
    public var tools: [Tool]?, call, jsonSchema, adapter, speculate: String?, stop: [String]?, think: Bool?

    public init(maxTokens: Int? = nil, temperature: Double? = nil, tools: [Tool]? = nil, jsonSchema: String? = nil) {
        (self.maxTokens, self.temperature, self.tools, self.jsonSchema) = (maxTokens, temperature, tools, jsonSchema)
    }

    func request(_ what: String, _ value: String) -> String {
        func written(_ value: (some CustomStringConvertible)?) -> String? { value.map(\.description) }
        return Json.object([
            what: value, "max_tokens": written(maxTokens), "tools": Json.list(tools?.map(\.json)),
            "call": call.map(Json.quoted), "json_schema": jsonSchema, "stop": Json.list(stop?.map(Json.quoted)),
            "temperature": written(temperature), "top_k": written(topK), "top_p": written(topP), "min_p": written(minP),
            "repetition_penalty": written(repetitionPenalty), "seed": written(seed), "think": written(think),
            "adapter": adapter.map(Json.quoted), "speculate": speculate.map(Json.quoted),
        ])
    }

    func request(_ messages: [Message]) -> String { request("messages", Json.list(messages.map(\.json))!) }
}

/// What is open: by which engines, and what it can. `can`, `slots`, `maxLength` and `cacheBytes` (of one slot) are of a
/// language model alone.
public struct Facts: Codable, Equatable, Sendable {
    public struct Engine: Codable, Equatable, Sendable { public let version, file: String }
    public struct Can: Codable, Equatable, Sendable { public let reuse, cancelInPrompt, tools: Bool }

    public let kind, variant, ep: String, engines: [String: Engine]
    public let can: Can?, slots, maxLength, cacheBytes: Int?
}

/// Bytes that an answer would add to the app's; `fits` is nil where the system does not tell what is free.
public struct Preflight: Codable, Equatable, Sendable {
    public let tokens, anon, mapped, kv: Int, free, limit: Int?, fits: Bool?, why: String
}

/// What a picture may show; `score` is as the model gives it, `label` nil where the bundle has none.
public struct Category: Codable, Equatable, Sendable { public let index: Int, label: String?, score: Double? }

/// What `ModelBundle.trim` gives back: the caches that no answer uses, or these and the model.
public enum Part: Int32, Sendable { case caches = 1, weights = 2 }
