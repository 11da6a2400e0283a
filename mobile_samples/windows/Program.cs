// Chats with a language model's bundle, or runs a bundle of tensors once, through edgekit's C# face.
//
//     Sample BUNDLE                                   a line is a turn; Ctrl-C ends an answer, Ctrl-Z the program
//     Sample BUNDLE x=float32:1,3,224,224:x.bin y     inputs from files of numbers in C order, and outputs by name
//     Sample --licences
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Edgekit;

internal static class Program {
    private static CancellationTokenSource? _answering;

    private static async Task<int> Main(string[] words) {
        Console.CancelKeyPress += (_, pressed) => {
            if (!(_answering is CancellationTokenSource answering)) return; // nothing is answered: the program ends
            pressed.Cancel = true;
            answering.Cancel();
        };
        try {
            await Do(words);
            return 0;
        } catch (EdgekitException refused) {
            Console.Error.WriteLine($"{refused.Message}\n{refused.Next}".TrimEnd());
        } catch (Exception error) when (error is IOException || error is FormatException) {
            Console.Error.WriteLine(error.Message);
        }
        return 1;
    }

    private static async Task Do(string[] words) {
        if (words.Length == 0) throw new FormatException("usage: Sample BUNDLE [NAME=TYPE:SHAPE:FILE ... OUTPUT ...]");
        if (words[0] == "--licences") {
            Console.Write(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "LICENSES.txt")));
            return;
        }
        await using Bundle bundle = await Bundle.OpenAsync(words[0]);
        if (words.Length == 1) await Chat(bundle);
        else await Infer(bundle, words.Skip(1).ToList());
    }

    // What was said is plain data, chat.History: save it, and a later process goes on from it.
    private static async Task Chat(Bundle bundle) {
        var chat = new Conversation(bundle);
        Console.Error.Write("> ");
        for (string? line; (line = Console.ReadLine()) != null; Console.Error.Write("> ")) {
            var messages = chat.History.Append(new Message("user", line)).ToList();
            Room room = await bundle.PreflightAsync(new Request { Messages = messages });
            if (room.Fits == false) Console.Error.WriteLine(room.Why);
            else await Answer(chat, line);
        }
    }

    private static async Task Answer(Conversation chat, string line) {
        using var answering = _answering = new CancellationTokenSource();
        try {
            await foreach (Event told in chat.Send(line, answering.Token))
                if (told is Text text) Console.Write(text.Value);
        } catch (OperationCanceledException) { // what was answered stays in the conversation
        } finally {
            _answering = null;
        }
        Console.WriteLine();
    }

    private static async Task Infer(Bundle bundle, IReadOnlyList<string> words) {
        var inputs = words.Where(word => word.Contains('=')).Select(Input);
        var outputs = words.Where(word => !word.Contains('=')).Select(word => new Tensor(word));
        foreach (Tensor made in await bundle.InferAsync(inputs, outputs))
            Console.WriteLine($"{made.Name} {made.Type} {string.Join(",", made.Shape)}:{Shown(made)}");
    }

    private static Tensor Input(string word) {
        string[] parts = word.Split(new[] { '=', ':' }, 4);
        if (parts.Length < 4) throw new FormatException($"{word} is no NAME=TYPE:SIZE,SIZE:FILE");
        long[] shape = parts[2].Split(',').Select(size => long.Parse(size, CultureInfo.InvariantCulture)).ToArray();
        return new Tensor(parts[0], parts[1], File.ReadAllBytes(parts[3]), shape);
    }

    private static string Shown(Tensor made) {
        IEnumerable<string> numbers = made.Type switch {
            "float32" => made.ToArray<float>().Select(each => each.ToString("G9", CultureInfo.InvariantCulture)),
            "int64" => made.ToArray<long>().Select(each => each.ToString(CultureInfo.InvariantCulture)),
            _ => Enumerable.Empty<string>(),
        };
        return string.Concat(numbers.Take(8).Select(each => " " + each));
    }
}
