// What EdgekitLanguageModel uses of FoundationModels, written after Apple's documentation of iOS 27 (November 2026): the
// real package is in Apple's SDK alone. A channel keeps what is sent, for tests.
import Foundation

public protocol LanguageModel: Sendable {
    associatedtype Executor: LanguageModelExecutor where Executor.Model == Self
    var capabilities: LanguageModelCapabilities { get }
    var executorConfiguration: Executor.Configuration { get }
}

public protocol LanguageModelExecutor: Sendable {
    associatedtype Configuration: Hashable & Sendable
    associatedtype Model: LanguageModel
    init(configuration: Configuration) throws
    func respond(
        to request: LanguageModelExecutorGenerationRequest, model: Model,
        streamingInto channel: LanguageModelExecutorGenerationChannel
    ) async throws
    func prewarm(model: Model, transcript: Transcript)
}

public struct LanguageModelCapabilities: Sendable {
    public enum Capability: Sendable { case guidedGeneration, toolCalling, vision, reasoning }
    public let all: [Capability]
    public init(_ all: [Capability]) { self.all = all }
}

public struct GenerationSchema: Codable, Sendable {
    public var type = "object"
    public init() {}
}

public struct GeneratedContent: Sendable {
    public let jsonString: String
    public init(jsonString: String) { self.jsonString = jsonString }
}

public struct GenerationOptions: Sendable {
    public struct SamplingMode: Sendable {
        public enum Kind: Sendable {
            case greedy
            case randomTopK(Int, seed: UInt64?)
            case randomProbabilityThreshold(Double, seed: UInt64?)
        }

        public let kind: Kind
        public static let greedy = SamplingMode(kind: .greedy)
    }

    public var samplingMode: SamplingMode?
    public var temperature: Double?
    public var maximumResponseTokens: Int?
    public init(sampling: SamplingMode? = nil, maximumResponseTokens: Int? = nil) {
        (samplingMode, self.maximumResponseTokens) = (sampling, maximumResponseTokens)
    }
}

public struct Transcript: RandomAccessCollection, Sendable {
    public struct TextSegment: Sendable { public let content: String }
    public struct StructuredSegment: Sendable { public let content: GeneratedContent }
    public enum Segment: Sendable { case text(TextSegment), structure(StructuredSegment), attachment }
    public struct Said: Sendable { public let segments: [Segment] }

    public struct ToolOutput: Sendable {
        public let toolName: String
        public let segments: [Segment]
    }

    public struct ToolCall: Sendable {
        public let id, toolName: String
        public let arguments: GeneratedContent
    }

    public struct ToolDefinition: Sendable {
        public let name, description: String
        public let parameters: GenerationSchema
    }

    public enum Entry: Sendable {
        case instructions(Said), prompt(Said), toolCalls([ToolCall]), toolOutput(ToolOutput), response(Said), reasoning(Said)
    }

    private let entries: [Entry]
    public init(entries: [Entry]) { self.entries = entries }
    public var startIndex: Int { 0 }
    public var endIndex: Int { entries.count }
    public subscript(at: Int) -> Entry { entries[at] }

    public static func text(_ text: String) -> Said { Said(segments: [.text(TextSegment(content: text))]) }
}

public struct LanguageModelExecutorGenerationRequest: Sendable {
    public var transcript: Transcript
    public var enabledToolDefinitions: [Transcript.ToolDefinition] = []
    public var schema: GenerationSchema?
    public var generationOptions: GenerationOptions
    public init(transcript: Transcript, generationOptions: GenerationOptions) {
        (self.transcript, self.generationOptions) = (transcript, generationOptions)
    }
}

public final class LanguageModelExecutorGenerationChannel: @unchecked Sendable {
    public struct Input: Sendable {
        public let totalTokenCount, cachedTokenCount: Int
        public init(totalTokenCount: Int, cachedTokenCount: Int) {
            (self.totalTokenCount, self.cachedTokenCount) = (totalTokenCount, cachedTokenCount)
        }
    }

    public struct Output: Sendable {
        public let totalTokenCount, reasoningTokenCount: Int
        public init(totalTokenCount: Int, reasoningTokenCount: Int) {
            (self.totalTokenCount, self.reasoningTokenCount) = (totalTokenCount, reasoningTokenCount)
        }
    }

    public enum Action: Sendable {
        case appendText(String, tokenCount: Int)
        case appendArguments(String, tokenCount: Int)
        indirect case toolCall(id: String, name: String, action: Action)
        case updateUsage(input: Input, output: Output)
    }

    public enum Event: Sendable {
        case response(entryID: String?, action: Action)
        case reasoning(entryID: String?, action: Action)
        case toolCalls(entryID: String?, action: Action)
    }

    public private(set) var events: [Event] = []
    public init() {}
    public func send(_ event: Event) async { events.append(event) }
}
