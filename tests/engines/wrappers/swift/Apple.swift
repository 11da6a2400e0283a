// What an app for iOS does with the face, beside stand-ins for Apple's frameworks (UIKit.swift, FoundationModels.swift):
// the bundle is the first word. Each step prints a line of JSON.
import Edgekit
import Foundation
import FoundationModels
import UIKit

@main @MainActor
struct Apple {
    static func main() async throws {
        let bundle = try await ModelBundle.open(URL(fileURLWithPath: CommandLine.arguments[1]))
        try await lifecycle(bundle)
        try await session(EdgekitLanguageModel(bundle))
    }

    static func say(_ what: [String: Any]) throws {
        print(String(decoding: try JSONSerialization.data(withJSONObject: what), as: UTF8.self))
    }

    static func lifecycle(_ bundle: ModelBundle) async throws {
        var watched: Lifecycle? = Lifecycle(bundle)
        var settings = Settings(maxTokens: 2000, temperature: 0)
        settings.topP = 1
        let asked = [Message("user", "the hand")]
        for try await event in bundle.answer(asked, settings: settings) {
            if case .text = event { NotificationCenter.default.post(name: UIApplication.didEnterBackgroundNotification, object: nil) }
            if case .done(let done) = event { try say(["reason": done.reason]) }
        }
        do {
            _ = try await bundle.respond(asked, settings: settings)
        } catch let why as Refused {
            try say(["refused": why.message, "next": why.next])
        }
        NotificationCenter.default.post(name: UIApplication.willEnterForegroundNotification, object: nil)
        settings.maxTokens = 4
        for try await case .done(let done) in bundle.answer(asked, settings: settings) { try say(["reason": done.reason]) }
        NotificationCenter.default.post(name: UIApplication.didReceiveMemoryWarningNotification, object: nil)
        var done = Done?.none
        repeat { // until nothing is kept any more
            for try await case .done(let end) in bundle.answer([Message("user", "on")], settings: settings) { done = end }
            NotificationCenter.default.post(name: UIApplication.didReceiveMemoryWarningNotification, object: nil)
            try await Task.sleep(nanoseconds: 200_000_000)
        } while try await bundle.trim(.caches) != 0
        try say(["reason": done!.reason])
        watched = nil // then nothing is told any more
        NotificationCenter.default.post(name: UIApplication.didEnterBackgroundNotification, object: nil)
        for try await case .done(let done) in bundle.answer(asked, settings: settings) { try say(["reason": done.reason]) }
        _ = watched
        UIApplication.shared.applicationState = .background
        let late = Lifecycle(bundle)
        do {
            _ = try await bundle.respond(asked, settings: settings)
        } catch let why as Refused {
            try say(["refused": why.message])
        }
        NotificationCenter.default.post(name: UIApplication.willEnterForegroundNotification, object: nil)
        withExtendedLifetime(late) {}
    }

    static func session(_ model: EdgekitLanguageModel) async throws {
        let executor = try EdgekitLanguageModel.Executor(configuration: model.executorConfiguration)
        let transcript = Transcript(entries: [
            .instructions(Transcript.text("the can")), .prompt(Transcript.text("the hand")),
            .reasoning(Transcript.text("hm")), .response(Transcript.text("in")), .prompt(Transcript.text("and on")),
        ])
        let options = GenerationOptions(sampling: .greedy, maximumResponseTokens: 20)
        let channel = LanguageModelExecutorGenerationChannel()
        let request = LanguageModelExecutorGenerationRequest(transcript: transcript, generationOptions: options)
        try await executor.respond(to: request, model: model, streamingInto: channel)
        var (text, tokens) = ("", 0)
        for event in channel.events {
            if case .response(_, .appendText(let more, _)) = event { text += more }
            if case .response(_, .updateUsage(_, let output)) = event { tokens = output.totalTokenCount }
        }
        try say(["text": text, "tokens": tokens, "capabilities": model.capabilities.all.count])
    }
}
