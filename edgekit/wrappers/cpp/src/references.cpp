#include "references.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <vector>

#include "lasting.h"

namespace fs = std::filesystem;

namespace edgekit {
namespace {

constexpr uint64_t HUGE_SIZE = uint64_t{1} << 63, MAX_GRAPH = (uint64_t{1} << 31) - 1;
constexpr int DEEPEST = 100;  // messages in one another: protobuf's own limit

enum Message { MODEL, TRAINING, GRAPH, FUNCTION, NODE, ATTRIBUTE, SPARSE, TENSOR, ENTRY };

// onnx.proto: field number -> message, for all by which a tensor or a node can be reached.
const std::map<uint64_t, Message>& below(Message message) {
    static const auto& all = lasting(std::map<Message, std::map<uint64_t, Message>>{
        {MODEL, {{7, GRAPH}, {14, ENTRY}, {20, TRAINING}, {25, FUNCTION}}},
        {TRAINING, {{1, GRAPH}, {2, GRAPH}}},
        {GRAPH, {{1, NODE}, {5, TENSOR}, {15, SPARSE}}},
        {FUNCTION, {{7, NODE}, {11, ATTRIBUTE}}},
        {NODE, {{5, ATTRIBUTE}}},
        {ATTRIBUTE, {{5, TENSOR}, {6, GRAPH}, {10, TENSOR}, {11, GRAPH}, {22, SPARSE}, {23, SPARSE}}},
        {SPARSE, {{1, TENSOR}, {2, TENSOR}}},
        {TENSOR, {}},
        {ENTRY, {}}});
    return all.at(message);
}

// Of an element, by TensorProto.DataType; texts are never external.
uint64_t bits_of(uint64_t type) {
    static const uint64_t bits[] = {0,  32, 8, 8, 16, 16, 32, 64, 0, 8, 16, 64, 32, 64, 64,
                                    128, 16, 8, 8, 8,  8,  4,  4,  4, 8, 2,  2,  6,  6};
    return type < std::size(bits) ? bits[type] : 0;
}

struct Field {
    uint64_t number, value;  // value: of a number; of a message, text or bytes where it begins
    uint64_t end;            // 0 for a number

    bool has_bytes() const { return end > 0; }
};

// A file that is read by places, through one small buffer: weights in it are skipped.
class Bytes {
   public:
    explicit Bytes(const fs::path& path) : stream_(path, std::ios::binary), size_(fs::file_size(path)) {}

    uint64_t size() const { return size_; }

    uint8_t at(uint64_t place) {
        if (place >= size_) throw std::runtime_error("it ends in the middle of a number");
        if (place < begin_ || place >= begin_ + buffer_.size()) {
            begin_ = place;
            buffer_.resize(static_cast<size_t>(std::min<uint64_t>(1 << 16, size_ - place)));
            stream_.clear();
            stream_.seekg(static_cast<std::streamoff>(place));
            stream_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
            if (static_cast<size_t>(stream_.gcount()) != buffer_.size()) throw std::runtime_error("it cannot be read");
        }
        return static_cast<uint8_t>(buffer_[static_cast<size_t>(place - begin_)]);
    }

    // Of a text that is longer than any path only the beginning.
    std::string text(const Field& field) {
        std::string text;
        for (uint64_t place = field.value; place < std::min(field.end, field.value + 4096); ++place) {
            text += static_cast<char>(at(place));
        }
        return text;
    }

    uint64_t varint(uint64_t& place, uint64_t end) {
        uint64_t value = 0;
        for (int shift = 0; shift < 70; shift += 7) {
            const uint8_t byte = at(place++);
            if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
            if (byte >= 0x80) continue;
            if (place > end) throw std::runtime_error("a number of it is longer than the whole");
            return value;
        }
        throw std::runtime_error("it has a number without an end");
    }

    std::vector<Field> fields(uint64_t place, uint64_t end) {
        std::vector<Field> found;
        while (place < end) {
            const uint64_t key = varint(place, end), number = key >> 3, wire = key & 7;
            if (!number || key >> 32) throw std::runtime_error("it has a field that no parser knows");
            if (wire == 0) {
                found.push_back({number, varint(place, end), 0});
                continue;
            }
            if (wire != 1 && wire != 2 && wire != 5) {
                throw std::runtime_error("it has a field of a kind that ONNX does not use");
            }
            const uint64_t size = wire == 2 ? varint(place, end) : wire == 1 ? 8 : 4;
            if (size > end - place) throw std::runtime_error("a part of it is longer than the whole");
            if (wire == 2) found.push_back({number, place, place + size});
            place += size;
        }
        return found;
    }

   private:
    std::ifstream stream_;
    uint64_t size_, begin_ = 0;
    std::vector<char> buffer_;
};

uint64_t product(uint64_t one, uint64_t other) {
    return other && one > HUGE_SIZE / other ? HUGE_SIZE : std::min(HUGE_SIZE, one * other);
}

uint64_t number_of(const std::string& text) {
    const bool whole = !text.empty() && text.size() < 19 && text.find_first_not_of("0123456789") == std::string::npos;
    return whole ? std::stoull(text) : HUGE_SIZE;
}

class Walk {
   public:
    explicit Walk(const fs::path& model) : bytes_(model) {}

    References whole() {
        if (bytes_.size() > MAX_GRAPH) throw std::runtime_error("it is larger than protobuf's messages can be");
        const Field mark{0, 4, 8};
        if (bytes_.size() >= 8 && bytes_.text(mark) == "ORTM") {
            throw std::runtime_error("it is in ONNX Runtime's own format");
        }
        message(MODEL, 0, bytes_.size(), 0);
        if (!has_graph_) throw std::runtime_error("it has no graph");
        return found_;
    }

   private:
    void message(Message kind, uint64_t begin, uint64_t end, int depth) {
        if (depth > DEEPEST) throw std::runtime_error("its messages nest too deep");
        const std::vector<Field> fields = bytes_.fields(begin, end);
        bool is_context = false;
        for (const Field& field : fields) {
            const auto inner = below(kind).find(field.number);
            if (kind == NODE && field.number == 4 && field.has_bytes()) {
                is_context = is_context || bytes_.text(field) == "EPContext";
            } else if (!field.has_bytes() || inner == below(kind).end()) {
                continue;
            } else if (inner->second == TENSOR) {
                tensor(field);
            } else if (inner->second == ENTRY) {
                found_.has_settings = found_.has_settings || entry(field).first == "ort_config";
            } else {
                has_graph_ = has_graph_ || (kind == MODEL && field.number == 7);
                message(inner->second, field.value, field.end, depth + 1);
            }
        }
        if (is_context) context(fields);
    }

    // External data: every location with the furthest byte that is asked for.
    void tensor(const Field& whole) {
        std::set<std::string> locations;
        uint64_t elements = 1, type = 0, offset = 0, length = 0;
        bool is_external = false;
        for (const Field& field : bytes_.fields(whole.value, whole.end)) {
            if (field.number == 1) {
                uint64_t place = field.value;
                if (!field.has_bytes()) elements = product(elements, field.value);
                while (field.has_bytes() && place < field.end) {
                    elements = product(elements, bytes_.varint(place, field.end));
                }
            } else if (field.number == 2 && !field.has_bytes()) {
                type = field.value;
            } else if (field.number == 13 && field.has_bytes()) {
                const auto [key, value] = entry(field);
                is_external = true;
                if (key == "location") locations.insert(value);
                if (key == "offset") offset = std::max(offset, number_of(value));
                if (key == "length") length = std::max(length, number_of(value));
            } else if (field.number == 14 && !field.has_bytes()) {
                is_external = is_external || field.value == 1;
            }
        }
        if (!is_external) return;
        if (locations.empty()) locations.insert("");
        const uint64_t bits = product(elements, bits_of(type));
        const uint64_t size = std::max(length, bits == HUGE_SIZE ? HUGE_SIZE : (bits + 7) / 8);
        for (const std::string& location : locations) {
            found_.files.emplace(location, size >= HUGE_SIZE - std::min(offset, HUGE_SIZE) ? HUGE_SIZE : offset + size);
        }
    }

    // A compiled context that is not embedded names its file; only one of several that share it does.
    void context(const std::vector<Field>& fields) {
        std::vector<std::pair<std::string, std::string>> texts;
        bool is_embedded = true;  // the operator's default
        for (const Field& attribute : fields) {
            if (attribute.number != 5 || !attribute.has_bytes()) continue;
            std::string name, text;
            uint64_t number = 0;
            for (const Field& field : bytes_.fields(attribute.value, attribute.end)) {
                if (field.number == 1 && field.has_bytes()) name = bytes_.text(field);
                if (field.number == 4 && field.has_bytes()) text = bytes_.text(field);
                if (field.number == 3 && !field.has_bytes()) number = field.value;
            }
            is_embedded = is_embedded && (name != "embed_mode" || number != 0);
            texts.emplace_back(name, text);
        }
        for (const auto& [name, text] : texts) {
            const bool is_file = name == "onnx_model_filename" || (name == "ep_cache_context" && !is_embedded);
            if (is_file && !text.empty()) found_.files.emplace(text, 0);
        }
    }

    std::pair<std::string, std::string> entry(const Field& whole) {
        std::pair<std::string, std::string> found;
        for (const Field& field : bytes_.fields(whole.value, whole.end)) {
            if (field.number == 1 && field.has_bytes()) found.first = bytes_.text(field);
            if (field.number == 2 && field.has_bytes()) found.second = bytes_.text(field);
        }
        return found;
    }

    Bytes bytes_;
    References found_;
    bool has_graph_ = false;
};

}  // namespace

References references(const fs::path& model) { return Walk(model).whole(); }

}  // namespace edgekit
