#include "npz.h"

#include <array>
#include <cstring>
#include <fstream>
#include <iterator>

#include "refused.h"
#include "unicode.h"
#include "words.h"

namespace edgekit {
namespace {

// The zip format: PKWARE's APPNOTE.TXT, sections 4.3.7 (file header), 4.3.12 (directory), 4.3.16 (its end).
constexpr uint32_t FILE_HEADER = 0x04034b50, ENTRY = 0x02014b50, END = 0x06054b50;
constexpr size_t FILE_HEADER_SIZE = 30, ENTRY_SIZE = 46, END_SIZE = 22;
constexpr uint32_t EARLIEST = 0x00210000;  // 1 January 1980, 0:00
const std::string NPY_MAGIC = "\x93NUMPY";

struct Damaged : std::runtime_error {
    using std::runtime_error::runtime_error;
};

uint32_t crc32(const std::string& data) {
    static const std::array<uint32_t, 256> table = [] {
        std::array<uint32_t, 256> made{};
        for (uint32_t at = 0; at < 256; ++at) {
            uint32_t value = at;
            for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0xedb88320U : 0);
            made[at] = value;
        }
        return made;
    }();
    uint32_t value = ~0U;
    for (char byte : data) value = (value >> 8) ^ table[(value ^ static_cast<uint8_t>(byte)) & 0xff];
    return ~value;
}

uint32_t little(const std::string& data, size_t at, size_t bytes) {
    if (at + bytes > data.size()) throw Damaged("it ends too early");
    uint32_t value = 0;
    for (size_t i = bytes; i-- > 0;) value = (value << 8) | static_cast<uint8_t>(data[at + i]);
    return value;
}

std::string part(const std::string& data, size_t at, size_t bytes) {
    if (at > data.size() || bytes > data.size() - at) throw Damaged("it ends too early");
    return data.substr(at, bytes);
}

void append(std::string& data, uint32_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) data += static_cast<char>((value >> (8 * i)) & 0xff);
}

size_t find_end(const std::string& zip) {
    const std::string magic("PK\x05\x06", 4);
    const size_t at = zip.rfind(magic);
    if (at == std::string::npos || at + END_SIZE > zip.size()) throw Damaged("it is no zip archive");
    return at;
}

// The value of a key in the header of a .npy file, which is a Python dictionary of three known keys.
std::string header_value(const std::string& header, const std::string& key) {
    const size_t named = header.find("'" + key + "':");
    if (named == std::string::npos) throw Damaged("an array without " + key);
    size_t begin = named + key.size() + 3;
    while (begin < header.size() && header[begin] == ' ') ++begin;
    const char opens = begin < header.size() ? header[begin] : '\0';
    const char* closes = opens == '\'' ? "'" : opens == '(' ? ")" : ",}";
    const bool bracketed = opens == '\'' || opens == '(';
    const size_t end = header.find_first_of(closes, begin + 1);
    if (end == std::string::npos) throw Damaged("an array with a strange header");
    return bracketed ? header.substr(begin + 1, end - begin - 1) : header.substr(begin, end - begin);
}

std::vector<int64_t> dims(const std::string& words) {
    std::vector<int64_t> found;
    for (size_t at = 0; at < words.size();) {
        const size_t comma = std::min(words.find(',', at), words.size());
        const std::string one = trimmed(words.substr(at, comma - at));
        if (one.find_first_not_of("0123456789") != std::string::npos || one.size() > 18) {
            throw Damaged("an array with the shape (" + words + ")");
        }
        if (!one.empty()) found.push_back(std::stoll(one));
        at = comma + 1;
    }
    return found;
}

std::vector<std::string> decode_text(const std::string& data, size_t count, size_t letters) {
    std::vector<std::string> found(count);
    for (size_t one = 0; one < count; ++one) {
        std::u32string text;
        for (size_t at = 0; at < letters; ++at) text += static_cast<char32_t>(little(data, (one * letters + at) * 4, 4));
        text.erase(text.find_last_not_of(U'\0') + 1);
        found[one] = to_utf8(text);
    }
    return found;
}

Array parse_npy(const std::string& npy) {
    if (npy.compare(0, NPY_MAGIC.size(), NPY_MAGIC) != 0) throw Damaged("a file in it is no array");
    const size_t length = little(npy, 6, 1) == 1 ? 2 : 4;
    const size_t begin = 8 + length + little(npy, 8, length);
    const std::string header = part(npy, 8 + length, begin - 8 - length);
    const std::string descr = header_value(header, "descr");
    Array array{type_by_npy(descr), dims(header_value(header, "shape")), {}, {}};
    if (!array.type) throw Damaged("an array of the type " + descr);
    if (header_value(header, "fortran_order") != "False") throw Damaged("an array in Fortran's order");
    const size_t letters = array.type->kind == 'U' ? std::stoul("0" + descr.substr(2)) : 1;
    size_t bytes = array.type->size * letters;
    for (int64_t dim : array.shape) {
        if (dim && bytes > npy.size() / static_cast<size_t>(dim)) throw Damaged("an array ends too early");
        bytes *= static_cast<size_t>(dim);
    }
    if (!letters && array.size() > npy.size()) throw Damaged("an array of more empty texts than it has bytes");
    const std::string data = part(npy, begin, bytes);
    if (array.type->kind == 'U') {
        array.text = decode_text(data, array.size(), letters);
    } else {
        array.data.resize(bytes);
        if (bytes) std::memcpy(array.data.data(), data.data(), bytes);
    }
    return array;
}

std::string format_npy(const Array& array) {
    std::string descr = array.type->npy, data;
    if (array.type->kind == 'U') {
        std::vector<std::u32string> words;
        size_t letters = 1;
        for (const std::string& one : array.text) {
            words.push_back(from_utf8(one));
            letters = std::max(letters, words.back().size());
        }
        descr += std::to_string(letters);
        for (std::u32string& word : words) {
            word.resize(letters);
            for (char32_t letter : word) append(data, letter, 4);
        }
    } else {
        data.assign(reinterpret_cast<const char*>(array.data.data()), array.data.size());
    }
    std::string shape;
    for (int64_t dim : array.shape) shape += std::to_string(dim) + (array.shape.size() == 1 ? "," : ", ");
    if (array.shape.size() > 1) shape.erase(shape.size() - 2);
    std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" + shape + "), }";
    header.append(63 - (NPY_MAGIC.size() + 4 + header.size()) % 64, ' ');  // the data begin at a multiple of 64
    header += '\n';
    std::string npy = NPY_MAGIC + std::string("\x01\x00", 2);
    append(npy, static_cast<uint32_t>(header.size()), 2);
    return npy + header + data;
}

Arrays parse(const std::string& zip) {
    Arrays arrays;
    const size_t end = find_end(zip);
    size_t at = little(zip, end + 16, 4);
    for (uint32_t left = little(zip, end + 10, 2); left > 0; --left) {
        if (little(zip, at, 4) != ENTRY) throw Damaged("its directory is damaged");
        if (little(zip, at + 10, 2) != 0) throw Damaged("it is compressed");
        const uint32_t crc = little(zip, at + 16, 4), size = little(zip, at + 24, 4);
        const size_t name_size = little(zip, at + 28, 2), header = little(zip, at + 42, 4);
        const std::string name = part(zip, at + ENTRY_SIZE, name_size);
        if (little(zip, header, 4) != FILE_HEADER) throw Damaged("its directory is damaged");
        const size_t begin = header + FILE_HEADER_SIZE + little(zip, header + 26, 2) + little(zip, header + 28, 2);
        const std::string npy = part(zip, begin, size);
        if (crc32(npy) != crc) throw Damaged(name + " was changed");
        arrays[ends_with(name, ".npy") ? name.substr(0, name.size() - 4) : name] = parse_npy(npy);
        at += ENTRY_SIZE + name_size + little(zip, at + 30, 2) + little(zip, at + 32, 2);
    }
    return arrays;
}

}  // namespace

Arrays read_npz(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    const std::string zip{std::istreambuf_iterator<char>(stream), {}};
    try {
        if (!stream) throw Damaged("it cannot be opened");
        return parse(zip);
    } catch (const Damaged& error) {
        throw Refused(path.filename().u8string() + " cannot be read: " + error.what(), "fetch the bundle again");
    }
}

void write_npz(const std::filesystem::path& path, const Arrays& arrays) {
    std::string zip, directory;
    for (const auto& [key, array] : arrays) {
        const std::string name = key + ".npy", npy = format_npy(array);
        std::string common;        // what a file's header and its directory entry share
        append(common, 20, 2);     // needs a reader of version 2.0
        append(common, 0x800, 2);  // the name is UTF-8
        append(common, 0, 2);      // stored
        append(common, EARLIEST, 4);
        append(common, crc32(npy), 4);
        append(common, static_cast<uint32_t>(npy.size()), 4);
        append(common, static_cast<uint32_t>(npy.size()), 4);
        append(common, static_cast<uint32_t>(name.size()), 2);
        append(common, 0, 2);  // no extra field
        append(directory, ENTRY, 4);
        append(directory, 0x0314, 2);  // made on Unix: the rights below are Unix's
        directory += common;
        append(directory, 0, 6 - 2);  // no comment, disk 0
        append(directory, 0, 2);
        append(directory, 0100644U << 16, 4);
        append(directory, static_cast<uint32_t>(zip.size()), 4);
        directory += name;
        append(zip, FILE_HEADER, 4);
        zip.append(common).append(name).append(npy);
    }
    const size_t at = zip.size();
    zip += directory;
    append(zip, END, 4);
    append(zip, 0, 4);  // one disk
    append(zip, static_cast<uint32_t>(arrays.size()), 2);
    append(zip, static_cast<uint32_t>(arrays.size()), 2);
    append(zip, static_cast<uint32_t>(directory.size()), 4);
    append(zip, static_cast<uint32_t>(at), 4);
    append(zip, 0, 2);  // no comment
    std::ofstream stream(path, std::ios::binary);
    stream.write(zip.data(), static_cast<std::streamsize>(zip.size()));
    if (!stream.flush())
        throw Refused(path.u8string() + " cannot be written", "free space, or name another file", "usage");
}

}  // namespace edgekit
