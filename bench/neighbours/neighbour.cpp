#include "neighbours/neighbour.hpp"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <causeway/causeway.hpp>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

#include "control/message.hpp"
#include "platform/socket.hpp"

namespace causeway::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPairs = 64;
constexpr std::uint32_t kPiece = 64 << 10;

// Two partitions of one process, connected `count` times.
struct World {
    World(const std::string& socket, std::size_t count, std::size_t memory)
        : from(Partition::attach(name("from"), {.socket = socket}).value()),
          to(Partition::attach(name("to"), {.socket = socket}).value()),
          source(from.allocate(memory).value()),
          target(to.allocate(memory, Access::remote_write).value()),
          queue(from.create_completion_queue(4096).value()),
          other(to.create_completion_queue(4096).value()),
          listener(to.listen("sink").value()) {
        for (std::size_t i = 0; i < count; ++i) {
            out.push_back(from.create_queue_pair({.completions = queue}).value());
            in.push_back(to.create_queue_pair({.completions = other}).value());
            out.back().connect(name("to") + "/sink", 0ns).value();
            listener.accept(in.back(), 10s).value();
        }
    }
    static std::string name(const std::string& end) {
        return "neighbour-" + std::to_string(::getpid()) + "-" + end;
    }
    void write(std::size_t i) {
        (void)out[i].post_write(source.slice(0, kPiece), target.remote(), i);
    }

    Partition from, to;
    Region source, target;
    CompletionQueue queue, other;
    std::vector<QueuePair> out, in;
    Listener listener;
};

[[noreturn]] void write_all(const std::string& socket) {
    World world(socket, kPairs, kPiece);
    for (std::size_t i = 0; i < kPairs; ++i) {
        for (int n = 0; n < 32; ++n)
            world.write(i);
    }
    for (;;) {
        for (const Completion& done : world.queue.poll())
            world.write(done.id());
    }
}

[[noreturn]] void register_all(const std::string& socket) {
    Partition partition = Partition::attach(World::name("owner"), {.socket = socket}).value();
    for (;;)
        (void)partition.allocate(16 << 20);
}

[[noreturn]] void flood(const std::string& socket) {
    auto request = control::make<abi::AttachRequest>(abi::Request::attach);
    request.major_least = request.major_most = abi::kMajor;
    request.flags = abi::attach_flag::kObserver;
    auto more = control::make<abi::StatsRequest>(abi::Request::stats);
    for (;;) {
        auto connection = platform::connect_to(socket);
        if (!connection)
            continue;
        (void)::send(connection->get(), &request, sizeof request, MSG_NOSIGNAL);
        while (::send(connection->get(), &more, sizeof more, MSG_NOSIGNAL) > 0) {}
    }
}

[[noreturn]] void never_take(const std::string& socket) {
    World world(socket, kPairs, kPiece);
    for (;;) {
        for (std::size_t i = 0; i < kPairs; ++i) {
            (void)world.in[i].post_receive(world.target.slice(0, 4096), 0);
            (void)world.out[i].post_send(world.source.slice(0, 4096), 0);
        }
    }
}

[[noreturn]] void punch(const std::string& socket) {
    for (;;) {
        World world(socket, 1, 16 << 20);
        for (;;) {
            if (!world.out[0].post_write(world.source.slice(0, 16 << 20), world.target.remote(), 0))
                break;
            for (std::size_t at = 0; at < world.target.size(); at += 1 << 20)
                (void)::madvise(world.target.data() + at, 1 << 20, MADV_REMOVE);
            const CompletionBatch batch = world.queue.wait(10ms);
            if (batch.empty() && batch.error() != ErrorCode::none)
                break;
            if (world.out[0].state() != QueuePair::State::connected)
                break;
        }
    }
}

}  // namespace

std::string_view manner_name(Manner manner) noexcept {
    switch (manner) {
        case Manner::writes:
            return "writes";
        case Manner::registers:
            return "registers";
        case Manner::floods:
            return "floods";
        case Manner::never_takes:
            return "never takes";
        case Manner::punches:
            return "punches holes";
    }
    return "";
}

void run_neighbour(Manner manner, const std::string& socket) {
    ::setenv("CAUSEWAY_ADAPTER_PATIENCE", "0", 1);  // NOLINT(concurrency-mt-unsafe): one thread
    switch (manner) {
        case Manner::writes:
            write_all(socket);
        case Manner::registers:
            register_all(socket);
        case Manner::floods:
            flood(socket);
        case Manner::never_takes:
            never_take(socket);
        case Manner::punches:
            punch(socket);
    }
    std::abort();
}

void burn(double share) {
    volatile std::uint64_t work = 0;
    const auto began = std::chrono::steady_clock::now();
    for (;;) {
        for (int i = 0; i < 100'000; ++i)
            work = work + 1;
        timespec used{};
        (void)::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
        const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - began;
        const double had =
            static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
        if (had > share * passed.count())
            std::this_thread::sleep_for(200us);
    }
}

}  // namespace causeway::bench
