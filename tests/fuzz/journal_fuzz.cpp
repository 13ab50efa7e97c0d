// Fuzzes what a daemon finds when it is started again: a journal that is not as it was left, and
// the memory of the partitions that come back, in which they may have written anything meanwhile.
// A daemon with two connected partitions was stopped before it moved what they had posted; each
// input changes words of its journal, of the queue memory and of the doorbell pages, then a new
// one takes over. It must start, answer every request, and serve whoever comes anew.
//
// Input: records of 12 bytes: where (bits 0-1: the journal, the queue memory of one, of the other,
// a doorbell page; bits 2-3: log2 of the width), a reserved byte, the offset in units of the width
// (16 bits, taken modulo what there is), and the value.
// mutations: 1000
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <causeway/abi/doorbell.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "adapter/journal_cells.hpp"
#include "adapter/server.hpp"
#include "support/engine_world.hpp"
#include "support/holder.hpp"
#include "support/temp_directory.hpp"

namespace {

using namespace causeway;
using test::Holder;

constexpr std::size_t kRecord = 12;
constexpr std::size_t kMostRecords = 64;

void require(bool holds, const std::string& what) {
    if (holds)
        return;
    std::fprintf(stderr, "%s\n", what.c_str());
    std::abort();
}

class Daemon {
public:
    explicit Daemon(const std::string& directory) {
        adapter::ServerOptions options;
        options.runtime_directory = directory;
        options.fabric.movers = 1;
        options.fabric.resume_patience_ns = 60'000'000'000;
        options.fabric.quota.max_bytes = std::uint64_t{1} << 30;
        auto started = adapter::Server::start(std::move(options), adapter::make_silent_log());
        require(started.has_value(), "it does not start: " + (started ? "" : started.error().text));
        server_ = std::move(*started);
        thread_ = std::thread([this] { outcome_ = server_->run(); });
    }
    ~Daemon() {
        server_->stop();
        thread_.join();
        require(outcome_.has_value(),
                "it does not end: " + (outcome_ ? "" : outcome_.error().text));
    }
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

private:
    std::unique_ptr<adapter::Server> server_;
    Result<void> outcome_;
    std::thread thread_;
};

// A file, and what stands in it before each input.
struct Place {
    platform::UniqueFd file;
    std::vector<std::byte> bytes;  // what is changed begins there, and ends with them

    void remember(std::size_t size) {
        bytes.resize(size);
        require(::pread(file.get(), bytes.data(), size, 0) == static_cast<ssize_t>(size), "pread");
    }
    void restore() const {
        require(::pwrite(file.get(), bytes.data(), bytes.size(), 0) ==
                    static_cast<ssize_t>(bytes.size()),
                "pwrite");
    }
    void change(std::size_t at, const std::byte* value, std::size_t width) const {
        const std::size_t slot = at % (bytes.size() / width);
        require(::pwrite(file.get(), value, width, static_cast<off_t>(slot * width)) ==
                    static_cast<ssize_t>(width),
                "pwrite");
    }
};

class World {
public:
    World() {
        {
            const Daemon daemon(directory_.path());
            left_ = std::make_unique<Holder>(socket(), "left");
            right_ = std::make_unique<Holder>(socket(), "right");
            const std::uint32_t listener = right_->session.listen("door");
            auto& left = left_->session.client;
            require(left.call(test::connect_request(left_->pair.queue_pair, "right/door"))->ok(),
                    "connect");
            require(right_->session.client
                        .call(test::accept_request(listener, right_->pair.queue_pair))
                        ->ok(),
                    "accept");
            while (left_->state() != abi::QueuePairState::connected ||
                   right_->state() != abi::QueuePairState::connected)
                std::this_thread::yield();
        }
        post();
        const std::string path = directory_.path() + "/" + adapter::kJournalName;
        journal_.file.reset(::open(path.c_str(), O_RDWR | O_CLOEXEC));
        // As many cells as are used: they are taken from the front.
        struct stat facts {};
        require(::fstat(journal_.file.get(), &facts) == 0, "fstat");
        journal_size_ = facts.st_size;
        journal_.remember(static_cast<std::size_t>(facts.st_size));
        std::size_t used = journal_.bytes.size();
        while (used > 0 && journal_.bytes[used - 1] == std::byte{0})
            --used;
        journal_.bytes.resize((used + adapter::kCellSize) / adapter::kCellSize *
                              adapter::kCellSize);
        for (const Holder* holder : {left_.get(), right_.get()}) {
            Place& memory = memories_.emplace_back();
            memory.file.reset(::dup(holder->pair_memory.get()));
            memory.remember(holder->pair.memory_size);
        }
        bell_.file.reset(::dup(left_->bells.back().second.get()));
        bell_.remember(sizeof(abi::DoorbellLayout));
    }

    void play(std::span<const std::uint8_t> input) {
        restore();
        for (std::size_t n = 0; input.size() >= kRecord && n < kMostRecords; ++n) {
            change(input.first<kRecord>());
            input = input.subspan(kRecord);
        }
        const Daemon daemon(directory_.path());
        for (Holder* holder : {left_.get(), right_.get()})
            come_back(*holder);
        test::RawSession stranger(socket(), "stranger");
        for (const auto kind : {abi::StatsKind::adapter, abi::StatsKind::partitions,
                                abi::StatsKind::queue_pairs, abi::StatsKind::regions}) {
            const auto reply = stranger.client.call(test::stats_request(kind));
            require(reply && reply->ok(), "a stranger is not served");
        }
        const Holder served(socket(), "served");
    }

private:
    [[nodiscard]] std::string socket() const { return directory_.path() + "/fabric.sock"; }

    // What waits in the rings: of every kind one, and where it arrives.
    void post() {
        const auto map = [](const Holder& holder) {
            return platform::Mapping::map(holder.pair_memory.get(), holder.pair.memory_size)
                .value();
        };
        const platform::Mapping from = map(*left_);
        const platform::Mapping to = map(*right_);
        const abi::QueuePairShape shape = test::create_request(0).shape;
        auto sends = shm::QueuePairView(from.data(), shape).send_producer();
        auto receives = shm::QueuePairView(to.data(), shape).receive_producer();
        const abi::DataSegment own{4000, left_->region.handle, 0};
        const abi::AddressSegment remote{right_->region.handle, right_->region.generation, 0};
        for (int i = 0; i < 3; ++i) {
            auto receive = test::Post{.opcode = abi::Opcode::receive,
                                      .segments = {{4096, right_->region.handle, 0}},
                                      .flags = 0}
                               .build();
            receives.publish(std::span(receive));
        }
        for (const auto opcode : {abi::Opcode::send, abi::Opcode::append, abi::Opcode::write}) {
            auto chain =
                test::Post{.opcode = opcode, .segments = {own, own}, .remote = remote}.build();
            sends.publish(std::span(chain));
        }
    }
    void restore() const {
        require(::ftruncate(journal_.file.get(), 0) == 0 &&
                    ::ftruncate(journal_.file.get(), journal_size_) == 0,
                "ftruncate");
        journal_.restore();
        for (const Place& memory : memories_)
            memory.restore();
        bell_.restore();
    }
    void change(std::span<const std::uint8_t, kRecord> record) const {
        const Place* const places[] = {&journal_, &memories_[0], &memories_[1], &bell_};
        std::uint16_t at = 0;
        std::memcpy(&at, record.data() + 2, sizeof at);
        std::byte value[8];
        std::memcpy(value, record.data() + 4, sizeof value);
        places[record[0] & 3]->change(at, value, std::size_t{1} << (record[0] >> 2 & 3));
    }
    // As far as it is let: who is refused something goes on with the next, who is shown out is out.
    void come_back(Holder& holder) const {
        try {
            holder.attach_again(socket());
            for (std::size_t i = 0; i < holder.bells.size(); ++i)
                (void)holder.hand_over_bell(i);
            (void)holder.hand_over_region(holder.region_memory.get());
            (void)holder.hand_over_pair(holder.pair.queue_pair, holder.pair_memory.get());
            (void)holder.done();
        } catch (const std::exception&) {
            holder.back.reset();
        }
    }

    test::TempDirectory directory_;
    std::unique_ptr<Holder> left_;
    std::unique_ptr<Holder> right_;
    Place journal_;
    off_t journal_size_ = 0;
    std::vector<Place> memories_;
    Place bell_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static World world;
    world.play({data, size});
    return 0;
}
