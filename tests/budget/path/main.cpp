// One message after the other along one path, for whoever counts what a message costs.
//
//     causeway_path EXECUTOR OPERATION SIZE MESSAGES [WORD...]
//
// EXECUTOR is direct, adapter (the library's part of it) or engine (the engine alone, as the
// adapter runs it); OPERATION send, write, read or append. Words:
//
//     unsignaled   the sender asks for no completion
//     asleep       the receiver sleeps before each message
//     waits        completions are waited for instead of polled for
//     idle=N       N queue pairs more on the same completion queues, used once and then cold
//     lines        prints which lines of queue memory were changed, in all messages together
//     copies       prints where the last message's bytes stand in memory
//
// One thread plays both partitions, so what is counted is the sum of both ends. MESSAGES / 4 go
// ahead uncounted, so that nothing is a first time. Around the counted part of each message stand
// marks (marks.hpp), and around every 16 messages those for a tracer. Prints `allocations N`, and
// what the words ask for; exit status 1, with the reason, if a message did not arrive as it was
// sent.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string_view>

#include "budget/path/allocations.hpp"
#include "budget/path/mappings.hpp"
#include "budget/path/path.hpp"
#include "support/syscall_tally.hpp"

using namespace causeway::test;  // NOLINT(google-build-using-namespace)

namespace {

constexpr std::uint64_t kBlock = 16;  // messages between two marks for a tracer

struct Options {
    PathOptions path;
    std::uint64_t messages = 0;
    bool lines = false;
    bool copies = false;
};

[[nodiscard]] bool is_one_of(std::string_view word, std::initializer_list<std::string_view> all) {
    return std::find(all.begin(), all.end(), word) != all.end();
}

// False: the words make no sense.
[[nodiscard]] bool parse(int argc, char** argv, Options& options) {
    if (argc < 5)
        return false;
    PathOptions& path = options.path;
    path.executor = argv[1];
    path.operation = argv[2];
    path.size = static_cast<std::uint32_t>(std::strtoul(argv[3], nullptr, 10));
    options.messages = std::strtoull(argv[4], nullptr, 10);
    for (int i = 5; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "unsignaled") {
            path.signaled = false;
        } else if (word == "asleep") {
            path.asleep = true;
        } else if (word == "waits") {
            path.waits = true;
        } else if (word.starts_with("idle=")) {
            path.idle_pairs = static_cast<std::uint32_t>(std::strtoul(argv[i] + 5, nullptr, 10));
        } else if (word == "lines") {
            options.lines = true;
        } else if (word == "copies") {
            options.copies = true;
        } else {
            return false;
        }
    }
    path.messages = options.messages + options.messages / 4 + 1;
    const bool engine = path.executor == "engine";
    return is_one_of(path.executor, {"direct", "adapter", "engine"}) &&
           is_one_of(path.operation, {"send", "write", "read", "append"}) && path.size != 0 &&
           (path.signaled || path.operation == "send") && !(options.copies && path.size < 64) &&
           !(engine && (path.asleep || path.waits || path.idle_pairs != 0 || options.copies));
}

// Messages [first, end).
void walk(Path& path, std::uint64_t first, std::uint64_t end, Marks::Use use) {
    const Marks marks(use);
    for (std::uint64_t i = first; i < end; ++i) {
        path.prepare(i);
        path.run(i, marks);
        path.finish(i);
    }
}

void print_lines(Path& path, const Options& options, std::uint64_t first) {
    ChangedLines changed(path.queue_memory(), options.path.executor == "adapter");
    for (std::uint64_t i = 0; i < options.messages; ++i) {
        path.prepare(first + i);
        changed.remember();
        path.run(first + i, Marks(Marks::Use::uncounted));
        changed.compare();
        path.finish(first + i);
    }
    for (const auto& [place, count] : changed.counts())
        std::printf("changed %d %s\n", count, place.c_str());
}

// A message of a pattern of its own, and then a search for a piece out of its middle: whatever
// passed the bytes on through a buffer has left them there.
void print_copies(Path& path, std::uint64_t number) {
    constexpr std::uint64_t kPiece = 16;
    const Pattern pattern{0x5eed0fca05e3a7};
    // What the search calls is bound now: the dynamic linker saves the vector registers when a
    // function is called first, with what was moved last in them.
    (void)mappings_of("self");
    path.prepare(number);
    const std::span<std::byte> source = path.source();
    for (std::uint64_t i = 8; i < source.size(); ++i)
        source[i] = std::byte{pattern.at(i)};
    path.run(number, Marks(Marks::Use::uncounted));
    const std::uint64_t offset = 8 + (source.size() - 8 - kPiece) / 2;
    for (const Place& place : find_pattern(pattern, offset, kPiece))
        std::printf("copies %d %s\n", place.count, place.name.c_str());
    if (path.adapter() > 0) {
        std::printf("copies %d adapter\n",
                    find_pattern_in(path.adapter(), pattern, offset, kPiece));
    }
    path.finish(number);
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        std::fprintf(stderr,
                     "usage: causeway_path direct|adapter|engine send|write|read|append SIZE "
                     "MESSAGES [unsignaled (send)] [asleep] [waits] [idle=N] [lines] [copies]\n");
        return 2;
    }
    const auto path = options.path.executor == "engine" ? make_engine_path(options.path)
                                                        : make_client_path(options.path);
    const std::uint64_t ahead = options.messages / 4;
    walk(*path, 0, ahead, Marks::Use::uncounted);
    if (options.lines) {
        print_lines(*path, options, ahead);
    } else {
        for (std::uint64_t done = 0; done < options.messages; done += kBlock) {
            const std::uint64_t end = ahead + std::min(done + kBlock, options.messages);
            mark_for_tracer(kTallyBegins);
            walk(*path, ahead + done, end, Marks::Use::counted);
            mark_for_tracer(kTallyEnds);
        }
    }
    std::printf("allocations %llu\n", static_cast<unsigned long long>(allocations()));
    if (options.copies)
        print_copies(*path, ahead + options.messages);
    return 0;
}
