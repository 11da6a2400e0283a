#if canImport(UIKit) && !os(watchOS)
import UIKit

/// Keeps a bundle within what iOS allows its app, while this lives: a memory warning gives its idle caches back; in the
/// background, where no app may use the GPU, answers end at their next token and new ones are refused.
public final class Lifecycle: Sendable {
    private let watched = Guarded<[NSObjectProtocol]>([])

    /// - Parameter inBackground: answers go on there, for the open variant computes on the CPU alone.
    @MainActor
    public init(_ bundle: ModelBundle, inBackground: Bool = false) {
        watch(UIApplication.didReceiveMemoryWarningNotification) { Task { try await bundle.trim(.caches) } }
        guard !inBackground else { return }
        let next = "ask again when it is in front, or open a variant for the CPU with inBackground: true"
        let why = Refused(code: "usage", message: "the app is in the background", next: next)
        watch(UIApplication.didEnterBackgroundNotification) { bundle.pause(why) }
        watch(UIApplication.willEnterForegroundNotification) { bundle.resume() }
        if UIApplication.shared.applicationState == .background { bundle.pause(why) }
    }

    deinit { watched.with { $0.forEach(NotificationCenter.default.removeObserver) } }

    private func watch(_ name: Notification.Name, _ then: @escaping @Sendable () -> Void) {
        let watch = NotificationCenter.default.addObserver(forName: name, object: nil, queue: nil) { _ in then() }
        watched.with { $0.append(watch) }
    }
}
#endif
