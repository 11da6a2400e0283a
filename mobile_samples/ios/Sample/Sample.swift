// Chats with the bundle in the app, and is what `edgekit check --device ios:UDID` runs (edgekit/cpp/src/app.h).
import CEdgekit
import SwiftUI

@main
struct SampleApp: App {
    @StateObject private var model = Model()
    private static let checking = Check.begun()

    var body: some Scene {
        WindowGroup {
            if SampleApp.checking {
                Text("edgekit is checking a bundle. Leave the app open.").onAppear {
                    UIApplication.shared.isIdleTimerDisabled = true // a locked phone stops its apps
                }
            } else {
                Screen(model: model)
            }
        }
    }
}

/// The check mode: does the one action of a request file and ends the process.
enum Check {
    static func begun() -> Bool {
        let words = CommandLine.arguments
        guard let at = words.firstIndex(of: "--edgekit-check"), at + 1 < words.count else { return false }
        let request = words[at + 1]
        let thread = Thread { edgekit_check(NSHomeDirectory(), request) }
        thread.stackSize = 8 << 20 // as a program's
        thread.qualityOfService = .userInitiated
        thread.start()
        return true
    }
}

@MainActor
final class Model: ObservableObject {
    @Published var said = ""
    @Published var busy = false
    private let keeper: Keeper

    init() {
        let files = FileManager.default
        let own = files.urls(for: .applicationSupportDirectory, in: .userDomainMask)[0]
        try? files.createDirectory(at: own, withIntermediateDirectories: true)
        var options = Options()
        options.genaiVersion = Bundle.main.object(forInfoDictionaryKey: "EdgekitGenAIVersion") as? String
        let bundle = Bundle.main.bundleURL.appendingPathComponent("bundle")
        keeper = Keeper(bundle, saved: own.appendingPathComponent("history.json"), options: options) { Lifecycle($0) }
        said = keeper.history.map(\.content).joined(separator: "\n\n")
    }

    func send(_ text: String) {
        (busy, said) = (true, said + "\n\n\(text)\n\n")
        keeper.send(text, tell: { self.said += $0 }, ended: { self.busy = false })
    }

    func stop() { Task { await keeper.stop() } }
}

struct Screen: View {
    @ObservedObject var model: Model
    @State private var question = ""
    @State private var licences = false

    var body: some View {
        VStack {
            ScrollView { Text(model.said).frame(maxWidth: .infinity, alignment: .leading).textSelection(.enabled) }
            HStack {
                TextField("Ask something", text: $question).textFieldStyle(.roundedBorder)
                if model.busy {
                    Button("Stop") { model.stop() }
                } else {
                    Button("Send") {
                        model.send(question)
                        question = ""
                    }.disabled(question.isEmpty)
                }
            }
            Button("Licences") { licences = true }.font(.footnote)
        }
        .padding()
        .sheet(isPresented: $licences) { ScrollView { Text(Screen.licences).font(.footnote).padding() } }
    }

    private static var licences: String {
        let url = Bundle.main.url(forResource: "LICENSES", withExtension: "txt")
        return url.flatMap { try? String(contentsOf: $0, encoding: .utf8) } ?? ""
    }
}
