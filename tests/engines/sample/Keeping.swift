// A life of the iOS sample's Keeper: bundle, where it is kept, turns; "stop" ends the answer to what follows.
import Foundation

struct Life: Encodable {
    var answers: [String] = []
    var watched = 0
    var history = 0
    var stopped = false
}

@MainActor
final class Watching {
    var count = 0
    var text = ""
}

@main
struct Keeping {
    @MainActor
    static func main() async throws {
        let words = CommandLine.arguments
        let watching = Watching()
        let keeper = Keeper(URL(fileURLWithPath: words[1]), saved: URL(fileURLWithPath: words[2])) { _ in
            watching.count += 1
            return watching
        }
        var life = Life()
        for (at, turn) in words.enumerated().dropFirst(3) where turn != "stop" {
            watching.text = ""
            let stops = words[at - 1] == "stop"
            await withCheckedContinuation { waiting in
                keeper.send(turn) { piece in
                    watching.text += piece
                    if stops { Task { await keeper.stop() } }
                } ended: {
                    waiting.resume()
                }
            }
            life.answers.append(watching.text)
            life.stopped = stops
        }
        (life.watched, life.history) = (watching.count, keeper.history.count)
        print(String(decoding: try JSONEncoder().encode(life), as: UTF8.self))
    }
}
