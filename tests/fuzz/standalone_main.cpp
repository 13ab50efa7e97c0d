// Runs a libFuzzer target without libFuzzer: replays corpus files, then a fixed number of mutations
// of them.
//
// Every build runs the fuzz targets this way as ordinary tests. The mutations come from a generator
// with a fixed seed, so a failure shows again at the next run. The input that is being tried is
// written to a file first only when asked
// (--keep FILE), which is how a crash is turned into a corpus file.
//
// Usage: NAME_fuzz [--mutations N] [--seed N] [--keep FILE] [FILE|FOLDER]...

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kMaxInput = 4096;

// SplitMix64: small, and the same on every machine.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15U;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }

    std::size_t below(std::size_t bound) { return bound == 0 ? 0 : next() % bound; }

private:
    std::uint64_t state_;
};

// Values at which length and offset arithmetic goes wrong.
constexpr std::uint64_t kEdges[] = {
    0,
    1,
    63,
    64,
    65,
    0x7f,
    0x80,
    0xff,
    0xffff,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x100000000,
    0x7fffffffffffffff,
    0x8000000000000000,
    0xffffffffffffffc0,
    0xffffffffffffffff,
};

void mutate(Bytes& input, const std::vector<Bytes>& corpus, Random& random) {
    const std::size_t rounds = 1 + random.below(4);
    for (std::size_t round = 0; round < rounds; ++round) {
        switch (random.below(7)) {
            case 0:  // one bit
                if (!input.empty()) {
                    input[random.below(input.size())] ^=
                        static_cast<std::uint8_t>(1U << random.below(8));
                }
                break;
            case 1:  // one byte
                if (!input.empty()) {
                    input[random.below(input.size())] = static_cast<std::uint8_t>(random.next());
                }
                break;
            case 2: {  // an edge value, of 1, 2, 4 or 8 bytes, mostly where a field would be
                const std::size_t width = std::size_t{1} << random.below(4);
                if (input.size() >= width) {
                    std::size_t at = random.below(input.size() - width + 1);
                    if (random.below(4) != 0) {
                        at -= at % width;
                    }
                    const std::uint64_t value = kEdges[random.below(std::size(kEdges))];
                    std::memcpy(input.data() + at, &value, width);
                }
                break;
            }
            case 3:  // shorter
                input.resize(random.below(input.size() + 1));
                break;
            case 4: {  // longer
                const std::size_t more = std::min(1 + random.below(64), kMaxInput - input.size());
                for (std::size_t i = 0; i < more; ++i) {
                    input.push_back(static_cast<std::uint8_t>(random.next()));
                }
                break;
            }
            case 5: {  // the tail of another input
                const Bytes& other = corpus[random.below(corpus.size())];
                const std::size_t from = random.below(other.size() + 1);
                input.resize(random.below(input.size() + 1));
                input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(from),
                             other.end());
                input.resize(std::min(input.size(), kMaxInput));
                break;
            }
            default: {  // a stretch repeated
                if (!input.empty()) {
                    const std::size_t from = random.below(input.size());
                    const std::size_t length =
                        std::min({input.size() - from, std::size_t{64}, kMaxInput - input.size()});
                    const Bytes stretch(input.begin() + static_cast<std::ptrdiff_t>(from),
                                        input.begin() + static_cast<std::ptrdiff_t>(from + length));
                    input.insert(input.end(), stretch.begin(), stretch.end());
                }
                break;
            }
        }
    }
}

Bytes read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    Bytes bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    bytes.resize(std::min(bytes.size(), kMaxInput));
    return bytes;
}

// The files of a folder in a fixed order; a path that is not there adds nothing.
void collect(const std::filesystem::path& path, std::vector<std::filesystem::path>& files) {
    if (std::filesystem::is_directory(path)) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
            if (entry.is_regular_file()) {
                files.push_back(entry.path());
            }
        }
    } else if (std::filesystem::exists(path)) {
        files.push_back(path);
    }
    std::sort(files.begin(), files.end());
}

struct Options {
    std::uint64_t mutations = 10000;
    std::uint64_t seed = 1;
    std::string keep;
    std::vector<std::filesystem::path> files;
};

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (!argument.starts_with("--")) {
            collect(argument, options.files);
            continue;
        }
        if (i + 1 == argc) {
            return false;
        }
        const char* value = argv[++i];
        if (argument == "--mutations") {
            options.mutations = std::strtoull(value, nullptr, 10);
        } else if (argument == "--seed") {
            options.seed = std::strtoull(value, nullptr, 10);
        } else if (argument == "--keep") {
            options.keep = value;
        } else {
            return false;
        }
    }
    return true;
}

void run(const Bytes& input, const std::string& keep) {
    if (!keep.empty()) {
        std::ofstream(keep, std::ios::binary | std::ios::trunc)
            .write(reinterpret_cast<const char*>(input.data()),
                   static_cast<std::streamsize>(input.size()));
    }
    // An exact copy on the heap: AddressSanitizer sees a read past the end.
    const Bytes exact(input);  // NOLINT(performance-unnecessary-copy-initialization): for that
    (void)LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        std::fprintf(stderr,
                     "usage: %s [--mutations N] [--seed N] [--keep FILE] [FILE|FOLDER]...\n",
                     argv[0]);
        return 2;
    }
    std::vector<Bytes> corpus;
    for (const auto& file : options.files) {
        corpus.push_back(read_file(file));
        run(corpus.back(), options.keep);
    }
    const std::size_t replayed = corpus.size();
    if (corpus.empty()) {
        corpus.emplace_back(64);
        corpus.emplace_back(512);
    }
    Random random(options.seed);
    for (std::uint64_t i = 0; i < options.mutations; ++i) {
        Bytes input = corpus[random.below(corpus.size())];
        mutate(input, corpus, random);
        run(input, options.keep);
    }
    std::printf("%zu corpus files and %llu mutations\n", replayed,
                static_cast<unsigned long long>(options.mutations));
    return 0;
}
