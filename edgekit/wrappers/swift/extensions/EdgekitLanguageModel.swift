// A bundle as the LanguageModel of a LanguageModelSession (FoundationModels of iOS 27): a file for apps of that system,
// and no part of the face.
//
// Never compiled against the real package: FoundationModels is in Apple's SDK alone. It was compiled against declarations
// after Apple's documentation of LanguageModelExecutor, of November 2026.
import Edgekit
import Foundation
import FoundationModels

/// A bundle for `LanguageModelSession(model:)`. The bundle is the app's: it is not closed with this.
@available(iOS 27, macOS 27, visionOS 27, *)
public struct EdgekitLanguageModel: LanguageModel {
    public let capabilities: LanguageModelCapabilities
    public let executorConfiguration: Executor.Configuration

    /// Its facts say what it can.
    public init(_ bundle: ModelBundle) async throws {
        let calls = try await bundle.facts().can?.tools == true
        capabilities = LanguageModelCapabilities(calls ? [.guidedGeneration, .toolCalling] : [.guidedGeneration])
        executorConfiguration = Executor.Configuration(bundle: bundle)
    }

    public struct Executor: LanguageModelExecutor {
        public typealias Model = EdgekitLanguageModel

        public struct Configuration: Hashable, Sendable {
            let bundle: ModelBundle

            public static func == (this: Self, other: Self) -> Bool { this.bundle === other.bundle }
            public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(bundle)) }
        }

        private let bundle: ModelBundle

        public init(configuration: Configuration) throws { bundle = configuration.bundle }

        public func prewarm(model: Model, transcript: Transcript) {}

        public func respond(
            to request: LanguageModelExecutorGenerationRequest, model: Model,
            streamingInto channel: LanguageModelExecutorGenerationChannel
        ) async throws {
            let (answer, calls) = (UUID().uuidString, UUID().uuidString)
            let messages = request.transcript.flatMap(Executor.messages)
            for try await event in bundle.answer(messages, settings: try Executor.settings(request)) {
                switch event {
                case .progress: continue
                case .text(let text):
                    await channel.send(.response(entryID: answer, action: .appendText(text, tokenCount: 1)))
                case .thought(let text):
                    await channel.send(.reasoning(entryID: nil, action: .appendText(text, tokenCount: 1)))
                case .toolCall(let call):
                    await channel.send(.toolCalls(entryID: calls, action: .toolCall(
                        id: call.id, name: call.name, action: .appendArguments(call.arguments, tokenCount: 1))))
                case .done(let done):
                    await channel.send(.response(entryID: answer, action: .updateUsage(
                        input: .init(totalTokenCount: done.promptTokens, cachedTokenCount: done.reused),
                        output: .init(totalTokenCount: done.tokens, reasoningTokenCount: 0))))
                }
            }
        }

        private static func settings(_ request: LanguageModelExecutorGenerationRequest) throws -> Settings {
            let options = request.generationOptions
            var settings = Settings(maxTokens: options.maximumResponseTokens, temperature: options.temperature)
            switch options.samplingMode?.kind {
            case .greedy: settings.temperature = 0
            case .randomTopK(let most, let seed): (settings.topK, settings.seed) = (most, seed.map { Int(clamping: $0) })
            case .randomProbabilityThreshold(let share, let seed):
                (settings.topP, settings.seed) = (share, seed.map { Int(clamping: $0) })
            case nil: break
            }
            let tools = try request.enabledToolDefinitions.map {
                Tool($0.name, $0.description, parameters: try json($0.parameters))
            }
            settings.tools = tools.isEmpty ? nil : tools
            settings.jsonSchema = try request.schema.map(json)
            return settings
        }

        private static func json(_ schema: GenerationSchema) throws -> String {
            String(decoding: try JSONEncoder().encode(schema), as: UTF8.self)
        }

        private static func messages(_ entry: Transcript.Entry) -> [Message] {
            switch entry {
            case .instructions(let said): [Message("system", text(said.segments))]
            case .prompt(let said): [Message("user", text(said.segments))]
            case .response(let said): [Message("assistant", text(said.segments))]
            case .toolOutput(let said): [Message("tool", text(said.segments), name: said.toolName)]
            case .toolCalls(let calls):
                [Message("assistant", "", calls: calls.map {
                    ToolCall(id: $0.id, name: $0.toolName, arguments: $0.arguments.jsonString)
                })]
            default: []
            }
        }

        private static func text(_ segments: [Transcript.Segment]) -> String {
            segments.map { segment in
                switch segment {
                case .text(let text): text.content
                case .structure(let structure): structure.content.jsonString
                default: ""
                }
            }.joined()
        }
    }
}
