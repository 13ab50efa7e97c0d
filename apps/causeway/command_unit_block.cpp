// causeway unit block: files and block devices as disks for other partitions.
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <thread>

#include "base/names.hpp"
#include "block_options.hpp"
#include "command_unit.hpp"
#include "interrupt.hpp"
#include "io/block/unit/unit.hpp"
#include "json.hpp"
#include "platform/clock.hpp"
#include "platform/spinner.hpp"

namespace causeway::cli {
namespace {

using namespace std::chrono_literals;
using io::block::BlockUnit;
using io::block::Image;

constexpr std::uint64_t kSecondNs = 1'000'000'000;
// After the last thing that happened, before a sleep: where the device is at work, and where not.
// A sleep there costs two wake-ups on the way of every request.
constexpr std::uint64_t kBusySpinNs = 200'000;
constexpr std::uint64_t kIdleSpinNs = 30'000;

struct Options {
    std::string socket;
    std::string attach;
    DiskOptions first;               // --name, --file and what belongs to them
    std::vector<std::string> disks;  // --disk
    std::vector<std::string> hosts;  // --host
    bool share = false;
    bool threads = false;
    abi::Executor executor = abi::Executor::any;
    bool json = false;
};

// A disk, served by a thread of its own from start() until stop().
class Server {
public:
    Server(std::string name, std::unique_ptr<Image> image) noexcept
        : name_(std::move(name)), image_(std::move(image)) {}
    ~Server() { stop(); }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // `over` is an eventfd that is rung when the disk's thread has ended by itself.
    Result<void> start(const std::shared_ptr<client::Partition>& partition,
                       io::block::UnitTerms terms, int over) {
        terms.name = name_;
        stop_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (!stop_)
            return fail_errno("eventfd for a disk", errno);
        stopping_ = false;
        state_ = State::opening;
        thread_ = std::thread([this, partition, terms, over] {
            auto unit = BlockUnit::open(partition, terms, *image_);
            if (!unit.has_value()) {
                outcome_ = unit.error();
                set(State::failed);
            } else {
                fallback_ = (*unit)->device().fallback();
                set(State::serving);
                outcome_ = serve(**unit);
                figures_ = figures_of(**unit);
                unit->reset();
                set(outcome_.code == ErrorCode::denied ? State::withdrawn : State::ended);
            }
            (void)::eventfd_write(over, 1);
        });
        state_.wait(State::opening);
        if (state_ != State::failed)
            return {};
        thread_.join();
        return fail(outcome_.code, outcome_.text);
    }
    void stop() {
        if (!thread_.joinable())
            return;
        stopping_ = true;
        (void)::eventfd_write(stop_.get(), 1);
        thread_.join();
    }
    // It has ended by itself, or by stop().
    [[nodiscard]] bool ended() const noexcept { return state_ == State::ended; }
    // It has ended because the adapter does not allow its controller any more, as outcome() says.
    [[nodiscard]] bool withdrawn() const noexcept { return state_ == State::withdrawn; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const Image& image() const noexcept { return *image_; }
    [[nodiscard]] const std::string& fallback() const noexcept { return fallback_; }
    // After its end: none where it was asked to.
    [[nodiscard]] const Error& outcome() const noexcept { return outcome_; }
    [[nodiscard]] const json& figures() const noexcept { return figures_; }

private:
    enum class State { opening, serving, failed, ended, withdrawn };

    void set(State state) {
        state_ = state;
        state_.notify_all();
    }

    // Until it is stopped, the adapter has gone for good, or it has withdrawn the controller.
    Error serve(BlockUnit& unit) {
        platform::Spinner spinner;
        std::uint64_t active_ns = 0;
        while (!stopping_.load(std::memory_order_relaxed)) {
            if (unit.step()) {
                active_ns = platform::monotonic_ns();
                if (unit.shared())
                    spinner.worked();
                else
                    spinner.reset();
                continue;
            }
            if (const std::string& why = unit.service().withdrawn(); !why.empty())
                return {ErrorCode::denied, why};
            if (unit.service().ended())
                return {ErrorCode::adapter_gone, "the adapter has gone"};
            const std::uint64_t now = platform::monotonic_ns();
            if (now - active_ns < (unit.device().under_way() != 0 ? kBusySpinNs : kIdleSpinNs)) {
                spinner.spin();
                continue;
            }
            const std::uint64_t until = unit.settle(now + kSecondNs);
            const auto device = unit.device().files();
            std::array<pollfd, 4> files{{{unit.service().fd(), POLLIN, 0},
                                         {device[0], POLLIN, 0},
                                         {device[1], POLLIN, 0},
                                         {stop_.get(), POLLIN, 0}}};
            const auto left = static_cast<long>(until > now ? until - now : 0);
            const timespec limit{0, std::min(left, 999'999'999L)};
            (void)::ppoll(files.data(), files.size(), &limit, nullptr);
        }
        return {};
    }

    json figures_of(const BlockUnit& unit) const {
        auto hosts = json::array();
        for (const auto& host : unit.figures()) {
            const auto& counters = host.counters;
            hosts.push_back({{"partition", host.partition},
                             {"executor", host.executor},
                             {"reads", counters.reads},
                             {"read_bytes", counters.read_bytes},
                             {"writes", counters.writes},
                             {"written_bytes", counters.written_bytes},
                             {"flushes", counters.flushes},
                             {"others", counters.others},
                             {"errors", counters.errors},
                             {"refused", counters.refused}});
        }
        return {{"name", name_}, {"bytes", image_->size()}, {"hosts", hosts}};
    }

    std::string name_;
    std::unique_ptr<Image> image_;
    platform::UniqueFd stop_;
    std::atomic<bool> stopping_{false};
    std::atomic<State> state_{State::opening};
    Error outcome_{};
    std::string fallback_;
    json figures_;
    std::thread thread_;
};

using Servers = std::vector<std::unique_ptr<Server>>;

// One that was killed a moment ago may still have it locked.
Result<std::unique_ptr<Image>> open_image(io::block::ImageTerms terms) {
    const std::uint64_t patience = std::exchange(terms.lock_wait_ns, 0);
    auto image = Image::open(terms);
    if (image.has_value() || image.error().code != ErrorCode::name_in_use)
        return image;
    fmt::print(stderr, "the image {} is locked; waiting up to {} seconds\n", terms.path,
               patience / kSecondNs);
    terms.lock_wait_ns = patience;
    return Image::open(terms);
}

Result<Servers> open_images(const Options& options) {
    std::vector<DiskOptions> wanted;
    if (!options.first.file.empty())
        wanted.push_back(options.first);
    for (const std::string& text : options.disks) {
        CW_TRY_ASSIGN(DiskOptions disk, parse_disk(text));
        wanted.push_back(std::move(disk));
    }
    if (wanted.empty()) {
        return fail(ErrorCode::invalid_argument,
                    "no disk: name one with --file IMAGE, or several with --disk NAME=IMAGE");
    }
    Servers servers;
    for (const DiskOptions& disk : wanted) {
        CW_TRY(check_name("disk", disk.name));
        for (const auto& other : servers) {
            if (other->name() == disk.name)
                return fail(ErrorCode::invalid_argument, "two disks are called " + disk.name);
        }
        io::block::ImageTerms terms;
        terms.path = disk.file;
        if (disk.read_only)
            terms.writing = io::block::Writing::never;
        if (disk.direct_io)
            terms.cache = io::block::Cache::none;
        CW_TRY_ASSIGN(auto image, open_image(terms));
        servers.push_back(std::make_unique<Server>(disk.name, std::move(image)));
    }
    return servers;
}

Result<io::block::UnitTerms> terms_of(const Options& options) {
    io::block::UnitTerms terms;
    terms.executor = options.executor;
    terms.engine = options.threads ? io::block::Engine::threads : io::block::Engine::best;
    if (options.share)
        terms.others.grant = io::block::Grant::shared;
    for (const std::string& text : options.hosts) {
        CW_TRY_ASSIGN(auto host, parse_host(text, terms.others));
        if (host.first == "*")
            terms.others = host.second;
        else
            terms.hosts[host.first] = host.second;
    }
    return terms;
}

// Signals come to the main thread only: it tells the others.
class SignalsHere {
public:
    SignalsHere() {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_BLOCK, &all, &before_);
    }
    ~SignalsHere() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

Result<void> start_all(Servers& servers, const std::shared_ptr<client::Partition>& partition,
                       const io::block::UnitTerms& terms, int over) {
    const SignalsHere masked;
    for (const auto& server : servers)
        CW_TRY(server->start(partition, terms, over));
    return {};
}

void tell_of(const Servers& servers, const std::string& partition) {
    for (const auto& server : servers) {
        const Image& image = server->image();
        fmt::print(stderr, "disk {}/{} is up: {} bytes{}{}\n", partition, server->name(),
                   image.size(), image.read_only() ? ", read-only" : "",
                   image.cached() ? "" : ", past the page cache");
        if (!server->fallback().empty())
            fmt::print(stderr, "disk {}/{}: {}; threads read and write instead\n", partition,
                       server->name(), server->fallback());
    }
}

// Runs the servers until a signal comes, or one of them ends. Those that are withdrawn leave the
// others undisturbed, as long as there are others.
void await_end(Servers& servers, int over) {
    pollfd file{over, POLLIN, 0};
    while (interrupted() == 0 && !servers.empty()) {
        if (::poll(&file, 1, -1) <= 0)
            continue;
        eventfd_t rung = 0;
        (void)::eventfd_read(over, &rung);
        std::erase_if(servers, [](const auto& server) {
            if (server->withdrawn())
                print_error(server->outcome().text);
            return server->withdrawn();
        });
        for (const auto& server : servers) {
            if (server->ended())
                return;
        }
    }
}

Result<int> run_block(const Options& options) {
    catch_interrupts();
    CW_TRY_ASSIGN(const io::block::UnitTerms terms, terms_of(options));
    CW_TRY_ASSIGN(Servers servers, open_images(options));
    for (bool first = true; interrupted() == 0; first = false) {
        const platform::UniqueFd over(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (!over)
            return fail_errno("eventfd for the disks", errno);
        auto partition = client::Partition::attach(options.socket, options.attach, {});
        auto started = partition.has_value() ? start_all(servers, *partition, terms, over.get())
                                             : fail(partition.error().code, partition.error().text);
        if (started.has_value()) {
            tell_of(servers, (*partition)->name());
            await_end(servers, over.get());
        }
        for (const auto& server : servers)
            server->stop();
        if (partition.has_value())
            (*partition)->close();
        if (!started.has_value()) {
            // A later adapter may be away: no need to say so again. What it denies it denies.
            if (first || started.error().code == ErrorCode::denied)
                return fail(started.error().code, started.error().text);
            std::this_thread::sleep_for(200ms);
            continue;
        }
        json disks = json::array();
        for (const auto& server : servers) {
            disks.push_back(server->figures());
            if (server->outcome().code != ErrorCode::none)
                print_error(server->outcome().text);
        }
        if (options.json)
            print_json({{"disks", disks}});
        if (servers.empty())
            return kFailed;
    }
    return 128 + interrupted();
}

}  // namespace

void add_unit_block(CLI::App& unit) {
    auto options = std::make_shared<Options>();
    CLI::App& block = *unit.add_subcommand("block", "Disks: files or block devices of this host");
    add_socket_option(block, options->socket);
    block
        .add_option("--attach", options->attach,
                    "Join as this partition (at a named entrance: its own name)")
        ->type_name("PARTITION");
    block.add_option("--name", options->first.name, "Of the disk of --file: its controller")
        ->capture_default_str()
        ->type_name("NAME");
    block.add_option("--file", options->first.file, "The image, or the block device")
        ->type_name("IMAGE");
    block.add_flag("--read-only", options->first.read_only, "Of --file: nobody writes");
    block.add_flag("--direct-io", options->first.direct_io,
                   "Of --file: past the page cache (O_DIRECT)");
    block
        .add_option("--disk", options->disks,
                    "One more disk: NAME=IMAGE[,read-only][,direct-io]; may be repeated")
        ->type_name("DISK");
    block.add_flag("--share", options->share,
                   "Several partitions may write at once, if all of them say that they share");
    block
        .add_option("--host", options->hosts,
                    "What a partition may do: "
                    "PARTITION=none|read|write|shared[,weight=N][,iops=N][,bandwidth=BYTES]; "
                    "PARTITION may be * for all that are not named; may be repeated")
        ->type_name("HOST");
    block.add_flag("--threads", options->threads, "Use threads, also where io_uring is there");
    add_executor_option(block, options->executor);
    block.add_flag("--json", options->json, "At the end, the counters of every host as JSON");
    block.footer(
        "Runs until it gets SIGINT or SIGTERM. One partition writes to a disk at a time, unless it "
        "is shared;\n"
        "any number read. Hosts are back by themselves when this unit, or the adapter, was "
        "restarted.\n\n"
        "Example:\n"
        "  truncate -s 1G disk.img\n"
        "  causeway unit block --attach storage --name disk0 --file disk.img\n"
        "  nbdkit causeway unit=storage/disk0");
    on_run(block, [options] { return run_block(*options); });
}

}  // namespace causeway::cli
