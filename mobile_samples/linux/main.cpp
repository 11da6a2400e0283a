// Chats with a language model's bundle, or runs a bundle of tensors once, through edgekit's C++ header.
//
//     sample BUNDLE                                   a line is a turn; Ctrl-C ends an answer, Ctrl-D the program
//     sample BUNDLE x=float32:1,3,224,224:x.bin y     inputs from files of numbers in C order, and outputs by name
//     sample --licences
#include <csignal>
#include <cstdint>
#include <deque>
#include <edgekit.hpp>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace {

volatile std::sig_atomic_t interrupted = 0;

// What was said is plain data, chat.history(): save it, and a later process goes on from it.
void chat(const edgekit::Bundle& bundle) {
    auto chat = bundle.conversation();
    std::string line;
    while (std::cerr << "> " << std::flush && std::getline(std::cin, line)) {
        auto messages = chat.history();
        messages.push_back({"user", line});
        const auto room = bundle.preflight(messages);
        if (room.get("/fits") == "false") {
            std::cerr << room.get("/why") << "\n";
            continue;
        }
        interrupted = 0;
        auto run = chat.send(line);
        for (const edgekit::Event& event : run) {
            if (interrupted) run.cancel();
            if (const auto* text = std::get_if<edgekit::Text>(&event)) std::cout << text->text << std::flush;
        }
        std::cout << std::endl;
    }
}

std::string bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// An input as it is named on the command line; `data` is to outlive it.
edgekit::Tensor input(const std::string& word, std::string& data) {
    std::istringstream parts(word);
    edgekit::Tensor tensor{""};
    std::string sizes, path, size;
    const bool whole = std::getline(parts, tensor.name, '=') && std::getline(parts, tensor.type, ':') &&
                       std::getline(parts, sizes, ':') && std::getline(parts, path);
    if (!whole) throw std::runtime_error(word + " is no NAME=TYPE:SIZE,SIZE:FILE");
    for (std::istringstream all(sizes); std::getline(all, size, ',');) tensor.shape.push_back(std::stoll(size));
    data = bytes_of(path);
    tensor.data = data.data();
    tensor.bytes = data.size();
    return tensor;
}

template <class T>
void show(const edgekit::Tensor& made) {
    for (size_t at = 0; at < made.bytes / sizeof(T) && at < 8; at++) std::cout << " " << made.as<T>()[at];
}

void infer(const edgekit::Bundle& bundle, const std::vector<std::string>& words) {
    std::deque<std::string> data;
    std::vector<edgekit::Tensor> inputs, outputs;
    for (const std::string& word : words) {
        if (word.find('=') == std::string::npos) {
            outputs.push_back({word});
        } else {
            inputs.push_back(input(word, data.emplace_back()));
        }
    }
    const auto made = bundle.infer(inputs, outputs);
    std::cout.precision(9);
    for (const edgekit::Tensor& output : made.all) {
        std::cout << output.name << " " << output.type;
        for (size_t at = 0; at < output.shape.size(); at++) std::cout << (at ? "," : " ") << output.shape[at];
        std::cout << ":";
        if (output.type == "float32") show<float>(output);
        if (output.type == "int64") show<int64_t>(output);
        std::cout << "\n";
    }
}

}  // namespace

int main(int count, char** words) {
    const std::vector<std::string> rest(words + (count > 1 ? 2 : 1), words + count);
    const std::string first = count > 1 ? words[1] : "";
    std::signal(SIGINT, [](int) { interrupted = 1; });
    try {
        if (first.empty()) throw std::runtime_error("usage: sample BUNDLE [NAME=TYPE:SHAPE:FILE ... OUTPUT ...]");
        if (first == "--licences") {
            std::cout << bytes_of(LICENCES);
        } else if (const auto bundle = edgekit::Bundle::open(first); rest.empty()) {
            chat(bundle);
        } else {
            infer(bundle, rest);
        }
    } catch (const edgekit::Refused& why) {
        std::cerr << why.what() << "\n" << why.next << std::endl;
        return 1;
    } catch (const std::exception& error) {
        std::cerr << error.what() << std::endl;
        return 1;
    }
    return 0;
}
