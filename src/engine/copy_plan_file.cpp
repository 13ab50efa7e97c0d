// The file that carries a CopyPlan: strict reading, writing, and where it is looked for.
#include <sys/stat.h>

#include <array>
#include <charconv>
#include <cstdlib>

#include "base/names.hpp"
#include "engine/copy_plan.hpp"
#include "platform/cpu.hpp"
#include "platform/files.hpp"

namespace causeway::engine {
namespace {

constexpr std::size_t kMostBytes = 16384;
constexpr std::size_t kMostText = 128;  // of a processor's name
constexpr std::uint32_t kFormat = 1;
constexpr std::uint64_t kMostThreshold = std::uint64_t{1} << 38;
constexpr std::uint64_t kMostPace = 1'000'000;
constexpr std::string_view kNeverWord = "never";
constexpr std::string_view kBuiltInWord = "built-in";

constexpr std::array<std::string_view, 9> kKeys{
    "format",           "processor",         "width",     "large", "large_from", "nontemporal",
    "nontemporal_from", "nontemporal_least", "slow_below"};

// Values as they stand, one for each of kKeys, and the lines that they stand in.
struct Lines {
    std::array<std::string_view, kKeys.size()> values{};
    std::array<unsigned, kKeys.size()> numbers{};  // 0: not there
};

[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept {
    constexpr std::string_view kBlanks = " \t";
    const std::size_t first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// For an error text.
[[nodiscard]] std::string shown(std::string_view text) { return printable(text, 40); }

[[nodiscard]] Result<void> take_line(std::string_view line, unsigned number, Lines& lines) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos)
        return fail_format(ErrorCode::invalid_argument, "line %u, '%s', is no 'key = value'",
                           number, shown(line).c_str());
    const std::string_view key = trimmed(line.substr(0, equals));
    for (std::size_t i = 0; i < kKeys.size(); ++i) {
        if (key != kKeys[i])
            continue;
        if (lines.numbers[i] != 0)
            return fail_format(ErrorCode::invalid_argument,
                               "line %u gives %s again, which line %u has given", number,
                               shown(key).c_str(), lines.numbers[i]);
        lines.numbers[i] = number;
        lines.values[i] = trimmed(line.substr(equals + 1));
        return {};
    }
    return fail_format(ErrorCode::invalid_argument, "line %u: there is no key '%s'", number,
                       shown(key).c_str());
}

class Reader {
public:
    explicit Reader(const Lines& lines) : lines_(lines) {}

    [[nodiscard]] Result<std::uint64_t> number(std::string_view key, std::uint64_t least,
                                               std::uint64_t most) const {
        const std::string_view text = value(key);
        std::uint64_t number = 0;
        const char* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, number);
        if (text.empty() || error != std::errc{} || rest != end || number < least || number > most)
            return wrong(key,
                         "a number from " + std::to_string(least) + " to " + std::to_string(most));
        return number;
    }
    // A threshold, or the word for none.
    [[nodiscard]] Result<std::uint64_t> threshold(std::string_view key) const {
        if (value(key) == kNeverWord)
            return kNever;
        return number(key, 0, kMostThreshold);
    }
    [[nodiscard]] Result<CopyKernel> kernel(std::string_view key, bool nontemporal) const {
        const auto kernel = copy_kernel_named(value(key));
        if (kernel.has_value() &&
            (*kernel == CopyKernel::cached || is_nontemporal(*kernel) == nontemporal))
            return *kernel;
        return wrong(key, nontemporal ? "a non-temporal copy kernel, or cached"
                                      : "a copy kernel that goes through the caches");
    }
    [[nodiscard]] Result<std::string> text(std::string_view key) const {
        const std::string_view text = value(key);
        if (text.empty() || printable(text, kMostText) != text)
            return wrong(key, "printable text");
        return std::string(text);
    }

private:
    [[nodiscard]] std::size_t index(std::string_view key) const noexcept {
        std::size_t i = 0;
        while (kKeys[i] != key)
            ++i;
        return i;
    }
    [[nodiscard]] std::string_view value(std::string_view key) const noexcept {
        return lines_.values[index(key)];
    }
    [[nodiscard]] tl::unexpected<Error> wrong(std::string_view key,
                                              const std::string& wanted) const {
        return fail_format(ErrorCode::invalid_argument, "line %u: %s is '%s', not %s",
                           lines_.numbers[index(key)], std::string(key).c_str(),
                           shown(value(key)).c_str(), wanted.c_str());
    }

    const Lines& lines_;
};

[[nodiscard]] std::string threshold_text(std::uint64_t threshold) {
    return threshold == kNever ? std::string(kNeverWord) : std::to_string(threshold);
}

[[nodiscard]] std::string environment(const char* name) {
    // Not for a program that runs with more rights than its caller.
    const char* const value = ::secure_getenv(name);  // NOLINT(concurrency-mt-unsafe): never set
    return value != nullptr ? value : "";
}

[[nodiscard]] bool is_there(const std::string& path) noexcept {
    struct stat facts {};
    return ::stat(path.c_str(), &facts) == 0;
}

}  // namespace

CopyMachine this_copy_machine() {
    CopyMachine machine{printable(platform::cpu_identity(), kMostText), "none"};
    if (runs_here(CopyKernel::vector_avx512))
        machine.width = "avx512";
    else if (runs_here(CopyKernel::vector_avx))
        machine.width = "avx";
    else if (runs_here(CopyKernel::vector_sse2))
        machine.width = "sse2";
    return machine;
}

Result<CopyPlan> parse_copy_plan(std::string_view text, CopyMachine& made_on) {
    Lines lines;
    unsigned number = 0;
    for (std::string_view rest = text; !rest.empty();) {
        const std::string_view line = trimmed(platform::next_token(rest, '\n'));
        ++number;
        if (!line.empty() && line[0] != '#')
            CW_TRY(take_line(line, number, lines));
    }
    for (std::size_t i = 0; i < kKeys.size(); ++i) {
        if (lines.numbers[i] == 0)
            return fail_format(ErrorCode::invalid_argument, "the line '%s = ...' is missing",
                               std::string(kKeys[i]).c_str());
    }
    const Reader reader(lines);
    CW_TRY(reader.number("format", kFormat, kFormat));
    CW_TRY_ASSIGN(made_on.processor, reader.text("processor"));
    CW_TRY_ASSIGN(made_on.width, reader.text("width"));
    CopyPlan plan;
    CW_TRY_ASSIGN(plan.large, reader.kernel("large", false));
    CW_TRY_ASSIGN(plan.large_from, reader.threshold("large_from"));
    CW_TRY_ASSIGN(plan.nontemporal, reader.kernel("nontemporal", true));
    CW_TRY_ASSIGN(plan.nontemporal_from, reader.threshold("nontemporal_from"));
    CW_TRY_ASSIGN(plan.nontemporal_least, reader.threshold("nontemporal_least"));
    CW_TRY_ASSIGN(const std::uint64_t slow, reader.number("slow_below", 0, kMostPace));
    plan.slow_below = static_cast<std::uint32_t>(slow);
    return plan;
}

std::string format_copy_plan(const CopyPlan& plan, const CopyMachine& made_on,
                             std::string_view comment) {
    std::string text;
    for (std::string_view rest = comment; !rest.empty();)
        text += "# " + std::string(platform::next_token(rest, '\n')) + "\n";
    const auto line = [&](const char* key, const std::string& value) {
        text += std::string(key) + " = " + value + "\n";
    };
    line("format", std::to_string(kFormat));
    line("processor", made_on.processor);
    line("width", made_on.width);
    line("large", name(plan.large));
    line("large_from", threshold_text(plan.large_from));
    line("nontemporal", name(plan.nontemporal));
    line("nontemporal_from", threshold_text(plan.nontemporal_from));
    line("nontemporal_least", threshold_text(plan.nontemporal_least));
    line("slow_below", std::to_string(plan.slow_below));
    return text;
}

LoadedCopies built_in_copies() {
    LoadedCopies copies;
    copies.plan = default_copy_plan();
    copies.source = "built in";
    return copies;
}

LoadedCopies load_copies(const std::string& path) {
    LoadedCopies copies = built_in_copies();
    const auto give_up = [&](LoadedCopies::State state, const std::string& why) {
        copies.state = state;
        copies.problem = why;
        return copies;
    };
    using enum LoadedCopies::State;
    const auto text = platform::read_settings_file(path, kMostBytes);
    if (!text.has_value())
        return give_up(broken, text.error().text);
    CopyMachine made_on;
    const auto plan = parse_copy_plan(*text, made_on);
    if (!plan.has_value())
        return give_up(broken, path + ": " + plan.error().text +
                                   "; have `causeway calibrate --save` write it anew");
    const CopyMachine here = this_copy_machine();
    if (made_on.processor != here.processor || made_on.width != here.width)
        return give_up(other_machine, path + " was made on '" + made_on.processor + "' (" +
                                          made_on.width + "), and this is '" + here.processor +
                                          "' (" + here.width +
                                          "); `causeway calibrate --save` measures this one");
    for (const CopyKernel kernel : {plan->large, plan->nontemporal}) {
        if (!runs_here(kernel))
            return give_up(broken, path + ": this processor has no " + name(kernel));
    }
    copies.plan = *plan;
    copies.state = from_file;
    copies.source = path;
    return copies;
}

std::string user_copies_path() {
    if (const std::string config = environment("XDG_CONFIG_HOME"); config.starts_with('/'))
        return config + "/causeway/copies";
    if (const std::string home = environment("HOME"); home.starts_with('/'))
        return home + "/.config/causeway/copies";
    return {};
}

LoadedCopies find_copies() {
    if (const std::string chosen = environment("CAUSEWAY_COPIES"); !chosen.empty())
        return chosen == kBuiltInWord ? built_in_copies() : load_copies(chosen);
    if (const std::string own = user_copies_path(); !own.empty() && is_there(own))
        return load_copies(own);
    return is_there(kSystemCopies) ? load_copies(kSystemCopies) : built_in_copies();
}

}  // namespace causeway::engine
