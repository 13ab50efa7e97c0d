// causeway top: partitions and queue pairs at work, refreshed.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>

#include "command.hpp"
#include "interrupt.hpp"
#include "see/asker.hpp"
#include "see/terminal.hpp"
#include "see/view.hpp"

namespace causeway::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    std::string socket;
    std::string sort = "throughput";
    double delay = 2;
    std::uint64_t count = 0;  // refreshes; 0: without end
    bool pairs = false;
    bool batch = false;
    bool json = false;
};

// What is known by now.
struct Known {
    std::optional<Sample> last;
    std::optional<Rates> rates;
    std::string problem;

    void take(Result<Sample> sample) {
        if (!sample.has_value()) {
            problem = sample.error().text;
            last.reset();  // who comes back is another adapter
            rates.reset();
            return;
        }
        problem.clear();
        rates = rates_between(last ? &*last : nullptr, *sample);
        last = std::move(*sample);
    }
    [[nodiscard]] const Rates* ordered(Sort sort) {
        if (!rates)
            return nullptr;
        order(*rates, sort);
        return &*rates;
    }
};

View view_of(const Options& options) {
    View view;
    view.sort = sort_of(options.sort).value_or(Sort::throughput);
    view.show = options.pairs ? Show::pairs : Show::partitions;
    return view;
}

int until(Clock::time_point time) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(time - Clock::now()).count();
    return static_cast<int>(std::max<std::int64_t>(left, 0));
}

// Every refresh has rates: the first comes a delay after the start.
Result<int> run_batch(const Options& options) {
    catch_interrupts();
    const View view = view_of(options);
    const auto delay = std::chrono::milliseconds(static_cast<int>(options.delay * 1000));
    Known known;
    known.take(take_sample(options.socket));
    auto next = Clock::now();
    for (std::uint64_t shown = 0; options.count == 0 || shown < options.count; ++shown) {
        next += delay;
        while (interrupted() == 0 && Clock::now() < next)
            (void)::poll(nullptr, 0, until(next));
        if (interrupted() != 0)
            return 128 + interrupted();
        known.take(take_sample(options.socket));
        const Rates* const rates = known.ordered(view.sort);
        if (options.json) {
            fmt::print("{}\n", frame_json(rates, known.problem)
                                   .dump(-1, ' ', false, json::error_handler_t::replace));
        } else {
            fmt::print("{}\n", frame(rates, view, known.problem));
        }
        if (std::fflush(stdout) != 0)
            return kFailed;
    }
    return known.problem.empty() ? 0 : kFailed;
}

class Screen {
public:
    Screen(const Options& options, Terminal& terminal, Asker& asker)
        : options_(options), terminal_(terminal), asker_(asker), view_(view_of(options)) {}

    // Until `q`, a signal, or the last refresh; its exit status.
    int run() {
        asker_.ask();
        show();
        while (!done_) {
            std::array<pollfd, 3> fds = {pollfd{STDIN_FILENO, POLLIN, 0},
                                         pollfd{terminal_.signal_fd(), POLLIN, 0},
                                         pollfd{asker_.fd(), POLLIN, 0}};
            (void)::poll(fds.data(), fds.size(), asker_.asking() ? -1 : until(next_));
            if (fds[1].revents != 0)
                take_signals();
            if (fds[0].revents != 0)
                take_keys();
            if (fds[2].revents != 0)
                take_sample();
            if (!asker_.asking() && Clock::now() >= next_)
                asker_.ask();
        }
        return status_;
    }
    [[nodiscard]] int signal() const noexcept { return signal_; }

private:
    void show() {
        const Terminal::Size size = Terminal::size();
        view_.columns = size.columns;
        view_.lines = size.lines;
        std::string text = frame(known_.ordered(view_.sort), view_, known_.problem);
        if (text.empty())
            text = "asking the adapter ...\n";
        if (!terminal_.show(text))
            done_ = true;
    }
    void take_signals() {
        while (const int signal = terminal_.next_signal()) {
            if (signal == SIGWINCH || signal == SIGCONT || signal == SIGTSTP) {
                show();
            } else {
                signal_ = signal;
                done_ = true;
            }
        }
    }
    void take_keys() {
        std::array<char, 64> keys{};
        const ssize_t n = ::read(STDIN_FILENO, keys.data(), keys.size());
        if (n <= 0) {
            done_ = true;  // the terminal has gone
            return;
        }
        for (ssize_t i = 0; i < n && !done_; ++i) {
            switch (press(view_, keys[static_cast<std::size_t>(i)])) {
                case Act::quit:
                    done_ = true;
                    break;
                case Act::refresh:
                    asker_.ask();
                    break;
                case Act::redraw:
                    show();
                    break;
                case Act::none:
                    break;
            }
        }
    }
    void take_sample() {
        auto sample = asker_.take();
        if (!sample)
            return;
        known_.take(std::move(*sample));
        const auto delay = std::chrono::milliseconds(static_cast<int>(options_.delay * 1000));
        // What has begun is compared with soon.
        next_ =
            Clock::now() + (shown_ == 0 ? std::min(delay, std::chrono::milliseconds(500)) : delay);
        show();
        if (++shown_ == options_.count) {
            done_ = true;
            status_ = known_.problem.empty() ? 0 : kFailed;
        }
    }

    const Options& options_;
    Terminal& terminal_;
    Asker& asker_;
    View view_;
    Known known_;
    Clock::time_point next_ = Clock::now();
    std::uint64_t shown_ = 0;
    bool done_ = false;
    int status_ = 0;
    int signal_ = 0;
};

Result<int> run_screen(const Options& options) {
    CW_TRY_ASSIGN(const auto terminal, Terminal::take());
    CW_TRY_ASSIGN(const auto asker, Asker::start(options.socket));
    Screen screen(options, *terminal, *asker);
    const int status = screen.run();
    terminal->give_back();
    const int exit_status = screen.signal() != 0 ? 128 + screen.signal() : status;
    if (asker->asking())
        ::_exit(exit_status);  // its thread waits for an adapter that does not answer
    return exit_status;
}

}  // namespace

void add_top(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App& top =
        *app.add_subcommand("top", "Watch partitions and queue pairs at work, as top does");
    add_socket_option(top, options->socket);
    top.add_option("-d,--delay", options->delay, "Seconds between two refreshes")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.1, 86400.0))
        ->capture_default_str();
    top.add_option("-n,--count", options->count, "End after COUNT refreshes")
        ->type_name("COUNT")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
    top.add_option("--sort", options->sort, "cpu, throughput, name or stalls")
        ->check(CLI::IsMember({"cpu", "throughput", "name", "stalls"}))
        ->capture_default_str();
    top.add_flag("--pairs", options->pairs, "Begin with queue pairs instead of partitions");
    top.add_flag("-b,--batch", options->batch, "Text for scripts: no terminal, no keys");
    top.add_flag("--json", options->json, "One JSON object per refresh, a line each; no terminal");
    top.footer(
        "Keys: P cpu, T throughput, N name, S stalls, < > next sort; v partitions or queue pairs;\n"
        "space refreshes at once, h help, q quits. CPU: 100% is one processor. *: as the "
        "partition\nitself says (executor direct). An adapter that has gone is waited for.\n\n"
        "Examples:\n"
        "  causeway top -d 1\n"
        "  causeway top -b -n 3 -d 5 > load.txt\n"
        "  causeway top --json -n 1 -d 1 | jq '.partitions[] | {name, bytes_per_s}'");
    on_run(top, [options]() -> Result<int> {
        return options->batch || options->json ? run_batch(*options) : run_screen(*options);
    });
}

}  // namespace causeway::cli
