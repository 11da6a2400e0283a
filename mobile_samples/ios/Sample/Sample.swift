// Asks a language model's bundle in Documents, and is what `edgekit check --device ios:UDID` runs: everything that a
// bundle needs is done by edgekit's C++ core (edgekit/wrappers/cpp/src/app.h).
import SwiftUI

@main
struct SampleApp: App {
    @StateObject private var model = Model()
    var body: some Scene {
        WindowGroup { Screen(model: model) }
    }
}

final class Model: ObservableObject {
    @Published var bundles: [String] = []
    @Published var answer = ""
    @Published var busy = false
    let checking: Bool

    init() {
        let words = CommandLine.arguments
        let at = words.firstIndex(of: "--edgekit-check")
        checking = at.map { $0 + 1 < words.count } ?? false
        if let at = at, checking {
            run { edgekit_check(NSHomeDirectory(), words[at + 1]) }
        }
        look()
    }

    /// The folders of Documents that are bundles; the Files app puts them there.
    func look() {
        let documents = FileManager.default.urls(for: .documentDirectory, in: .userDomainMask)[0]
        let names = (try? FileManager.default.contentsOfDirectory(atPath: documents.path)) ?? []
        bundles = names.sorted().filter {
            FileManager.default.fileExists(atPath: documents.appendingPathComponent("\($0)/edgekit.json").path)
        }
    }

    func ask(_ bundle: String, _ question: String) {
        let request: [String: Any] = [
            "action": "generate", "bundle": "Documents/\(bundle)", "messages": [["role": "user", "content": question]],
            "max_tokens": 256, "temperature": 0, "top_p": 1,
        ]
        guard let data = try? JSONSerialization.data(withJSONObject: request) else { return }
        let text = String(decoding: data, as: UTF8.self)
        (answer, busy) = ("", true)
        run { [self] in
            _ = edgekit_act(NSHomeDirectory(), text, { context, event in
                guard let context = context, let event = event else { return }
                Unmanaged<Model>.fromOpaque(context).takeUnretainedValue().take(Data(String(cString: event).utf8))
            }, Unmanaged.passUnretained(self).toOpaque())
            DispatchQueue.main.async { self.busy = false }
        }
    }

    private func take(_ event: Data) {
        guard let fields = (try? JSONSerialization.jsonObject(with: event)) as? [String: Any] else { return }
        let error = fields["error"] as? [String: Any]
        let piece = fields["event"] as? String == "piece" ? fields["text"] as? String : error?["message"] as? String
        DispatchQueue.main.async { self.answer += piece ?? "" }
    }

    /// On a thread of its own, with a stack as large as a program's.
    private func run(_ work: @escaping () -> Void) {
        let thread = Thread(block: work)
        thread.stackSize = 8 << 20
        thread.qualityOfService = .userInitiated
        thread.start()
    }
}

struct Screen: View {
    @ObservedObject var model: Model
    @State private var question = "What is the capital of France?"

    var body: some View {
        Form {
            if model.checking {
                Text("edgekit is checking a bundle. Leave the app open.")
            } else {
                TextField("Question", text: $question)
                ForEach(model.bundles, id: \.self) { name in
                    Button(name) { model.ask(name, question) }.disabled(model.busy)
                }
                if model.bundles.isEmpty { Button("Copy a bundle into Documents, then tap here") { model.look() } }
                Text(model.answer)
            }
        }
        .onAppear { UIApplication.shared.isIdleTimerDisabled = true }  // a locked phone stops its apps
    }
}
