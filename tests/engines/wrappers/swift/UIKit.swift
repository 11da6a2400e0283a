// What the face's Lifecycle uses of UIKit, written after Apple's documentation: UIKit is in Apple's SDK alone.
@_exported import Foundation

@MainActor
open class UIApplication {
    public enum State: Sendable {
        case active, inactive, background
    }

    public static let shared = UIApplication()
    public var applicationState: State = .active

    nonisolated public static let didReceiveMemoryWarningNotification = Notification.Name("memory")
    nonisolated public static let didEnterBackgroundNotification = Notification.Name("background")
    nonisolated public static let willEnterForegroundNotification = Notification.Name("foreground")
}
