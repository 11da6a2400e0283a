#include "protocol.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <new>
#include <thread>

#ifdef _WIN32
#include <io.h>
#else
#include <poll.h>
#include <unistd.h>

#include <csignal>
#endif
#ifdef __linux__
#include <sys/prctl.h>
#endif
#ifdef EDGEKIT_SANITIZE
#include <sanitizer/lsan_interface.h>
#endif

#include "words.h"

namespace fs = std::filesystem;

namespace edgekit {
namespace {

// Ends this process at once: engines' threads may be anywhere.
[[noreturn]] void end(int code, const std::string& last_words) {
    if (!last_words.empty()) std::cerr << "edgekit-runner: " << last_words << std::endl;
    std::fflush(nullptr);
    std::_Exit(code);
}

// What has no owner any more when a request is served ends a sanitized build; _Exit would not look for it.
void find_leaks() {
#ifdef EDGEKIT_SANITIZE
    __lsan_do_leak_check();
#endif
}

// Ask the kernel to kill this process when its parent dies, however it dies.
void die_with_parent() {
#ifdef __linux__
    const pid_t parent = getppid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) end(1, "its parent is gone");  // it died between the two calls
#endif
}

// The old stdout, for events alone: whatever a library prints goes to the log, never between them.
std::FILE* take_stdout() {
    std::fflush(stdout);
#ifdef _WIN32
    const int kept = _dup(1);
    _dup2(2, 1);
    return _fdopen(kept, "wb");
#else
    const int kept = dup(1);
    dup2(2, 1);
    return fdopen(kept, "w");
#endif
}

void watch_over(std::FILE* events, std::optional<double> timeout_s) {
#ifdef _WIN32
    static_cast<void>(events);
    if (timeout_s) std::this_thread::sleep_for(std::chrono::duration<double>(*timeout_s));
#else
    const int limit = timeout_s ? static_cast<int>(std::clamp(*timeout_s * 1000, 0.0, 2e9)) : -1;
    pollfd pipe{fileno(events), 0, 0};
    if (poll(&pipe, 1, limit) > 0) {
        if (!(pipe.revents & POLLNVAL)) end(1, "nobody reads its events any more");
        // Apple's poll cannot watch every device: then the time alone ends it, and the next event that nobody takes.
        if (timeout_s) std::this_thread::sleep_for(std::chrono::duration<double>(*timeout_s));
    }
#endif
    if (timeout_s) end(1, "no outcome within " + number("%.0f", *timeout_s) + " s, so it ends itself");
}

void write_last(const fs::path& path, const Json& outcome) {
    const fs::path aside = fs::path(path).replace_extension(".part");
    std::ofstream stream(aside, std::ios::binary);
    stream << outcome.dump(-1, ' ', false, Json::error_handler_t::replace);
    stream.close();
    if (!stream) throw std::runtime_error(aside.u8string() + " cannot be written: No space left on device?");
    fs::rename(aside, path);
}

Ordered read_request(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) throw std::runtime_error(path.u8string() + " cannot be opened");
    return Ordered::parse(stream);
}

}  // namespace

Json error_of(const Refused& refused) {
    Json error = {{"code", refused.code}, {"message", refused.what()}, {"next", refused.next}};
    if (!refused.axis.empty()) error["axis"] = refused.axis;
    return error;
}

void serve(const fs::path& path, const std::function<Json(const Ordered&, const Emit&)>& handler) {
    die_with_parent();
    std::FILE* events = take_stdout();
    const Emit emit = [events](const char* kind, Json fields) {
        fields["event"] = kind;
        const std::string line = fields.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
        if (std::fwrite(line.data(), 1, line.size(), events) != line.size() || std::fflush(events) != 0) {
            end(1, "nobody reads its events any more");
        }
    };
    try {
        const Ordered request = read_request(path);
        std::thread(watch_over, events, optional<double>(request, "timeout_s")).detach();
        Json outcome;
        try {
            outcome = handler(request, emit);
        } catch (const Refused& refused) {
            outcome["error"] = error_of(refused);
        } catch (const EngineError&) {
            throw;
        } catch (const std::bad_alloc&) {
            const char* room = "close other programs, or use a machine with more memory";
            outcome["error"] = error_of(Refused("out of memory", room, "build"));
        } catch (const std::exception& error) {  // a number or a name that nothing asked for before
            const std::string why = std::string("the bundle cannot be used: ") + error.what();
            outcome["error"] = error_of(Refused(why, "build the bundle again, or fetch it again"));
        }
        write_last(path.parent_path() / "outcome.json", outcome);
        find_leaks();
        end(outcome.contains("error") ? 1 : 0, "");
    } catch (const std::exception& error) {
        end(1, error.what());
    }
}

}  // namespace edgekit
