import Foundation

/// The app's one open bundle: the model is loaded by the first turn and stays. Needs no SwiftUI, nor UIKit.
@MainActor
final class Keeper {
    private let folder, saved: URL
    private let options: Options
    private var bundle: ModelBundle?
    private var chat: Conversation?
    private var answer: Task<Void, Never>?
    private let watch: @MainActor (ModelBundle) -> Any
    private var watcher: Any?

    /// - Parameters:
    ///   - saved: where the conversation is kept for the app's next life.
    ///   - watch: what gives memory back and ends answers as the system asks: the face's Lifecycle. It lives as long.
    init(
        _ folder: URL, saved: URL, options: Options = Options(), watch: @escaping @MainActor (ModelBundle) -> Any
    ) {
        (self.folder, self.saved, self.options, self.watch) = (folder, saved, options, watch)
    }

    /// What was said before, in this life or the last.
    var history: [Message] {
        if let chat { return chat.history }
        guard let data = try? Data(contentsOf: saved) else { return [] }
        return (try? JSONDecoder().decode([Message].self, from: data)) ?? []
    }

    /// Say something; `tell` hears the answer in pieces, or why there is none. One turn at a time.
    func send(_ text: String, tell: @escaping @MainActor (String) -> Void, ended: @escaping @MainActor () -> Void) {
        guard answer == nil else { return }
        answer = Task {
            do {
                let chat = try await opened()
                let room = try await bundle!.preflight(chat.history + [Message("user", text)])
                if room.fits == false { throw Refused(code: "usage", message: room.why) }
                for try await case .text(let piece) in chat.send(text) { tell(piece) }
            } catch let why as Refused {
                tell(why.description)
            } catch is CancellationError { // what was said stays
            } catch {
                tell(error.localizedDescription)
            }
            keep()
            answer = nil
            ended()
        }
    }

    /// End the answer, at its next token; done when it has ended.
    func stop() async {
        answer?.cancel()
        await answer?.value
    }

    private func opened() async throws -> Conversation {
        if let chat { return chat }
        let bundle = try await ModelBundle.open(folder, options: options)
        let chat = bundle.conversation(history)
        (self.bundle, self.chat, watcher) = (bundle, chat, watch(bundle))
        return chat
    }

    private func keep() {
        guard let chat, let data = try? JSONEncoder().encode(chat.history) else { return }
        try? data.write(to: saved, options: .atomic)
    }
}
