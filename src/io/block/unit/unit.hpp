// BlockUnit: the I/O unit module of a disk. It takes requests of any number of hosts, puts them in
// an order that is fair, and has the device execute them:
//
//   message -> job -> FairQueue -> Device -> (put the data into the host's memory) -> done
//
// On a connection of executor direct the device reads from and writes to the host's memory itself.
// Otherwise what is to be written lies in the message, and what was read goes through a chunk of
// the unit's own memory.
//
// Threading: one thread, the one that opened it.
// Ownership: owns service and device; borrows the image, which outlives it.
//
// Invariants:
//  1. A request's message is held until it is answered: no host has more than kHostDepth jobs.
//  2. What is decided upon is a private copy of the request.
//  3. A host that does not take its answers holds up nobody else: it has a share of the chunks, and
//     gets one only where the answer that will empty it has room already.
//  4. Hosts' memory is touched by the kernel and by the engine only, which survive that it faults.
//  5. A host that goes leaves nothing behind once the device has ended what it had begun for it.
#pragma once

#include <causeway/abi/block.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/block/chunks.hpp"
#include "io/block/unit/device.hpp"
#include "io/block/unit/fair_queue.hpp"
#include "io/block/unit/terms.hpp"
#include "io/messaging/service.hpp"

namespace causeway::io::block {

enum class Grant : std::uint8_t { none, read, write, shared };

// What a partition may do.
struct HostTerms {
    Grant grant = Grant::write;
    Allowance allowance{};
};

struct UnitTerms {
    std::string name = "disk0";  // of the controller
    Engine engine = Engine::best;
    abi::Executor executor = abi::Executor::any;
    HostTerms others{};                        // of partitions that are not named
    std::map<std::string, HostTerms> hosts{};  // by partition
};

class BlockUnit final : private messaging::Handler {
public:
    [[nodiscard]] static Result<std::unique_ptr<BlockUnit>> open(
        std::shared_ptr<client::Partition> partition, const UnitTerms& terms, Image& image);
    ~BlockUnit() override;

    // Takes and executes what has come; false: there was nothing.
    [[nodiscard]] bool step() noexcept;
    // What to wait for: service().fd() and device().files(), at most until this moment.
    [[nodiscard]] std::uint64_t settle(std::uint64_t until_ns) noexcept;
    // Have several hosts asked for something lately?
    [[nodiscard]] bool shared() const noexcept { return queue_.shared(now_ns_); }
    [[nodiscard]] messaging::Service& service() noexcept { return *service_; }
    [[nodiscard]] const Device& device() const noexcept { return *device_; }

    struct Counters {
        std::uint64_t reads = 0;
        std::uint64_t read_bytes = 0;
        std::uint64_t writes = 0;
        std::uint64_t written_bytes = 0;
        std::uint64_t flushes = 0;
        std::uint64_t others = 0;
        std::uint64_t errors = 0;
        std::uint64_t refused = 0;  // opens
    };
    struct HostFigures {
        std::string partition;
        const char* executor;
        bool writes;
        Counters counters;
    };
    [[nodiscard]] std::vector<HostFigures> figures() const;

private:
    static constexpr std::uint32_t kNone = UINT32_MAX;

    // A partition, with all its connections.
    struct Host {
        std::string name;
        HostTerms terms;
        FairQueue::Party party = 0;
        std::uint32_t guests = 0;
        std::uint32_t writers = 0;  // of these
        bool shares = false;
        std::uint32_t small_chunks = 0;  // that its jobs hold
        std::uint32_t large_chunks = 0;
        Counters counters{};
    };
    // A connection.
    struct Guest {
        messaging::Channel* channel = nullptr;
        Host* host = nullptr;
        bool opened = false;
        bool writes = false;
        std::uint32_t owed = 0;  // answers that are going to come from chunks
        std::deque<std::uint32_t>
            postponed{};  // had a turn, and wait for a chunk or for their memory
        std::deque<std::uint32_t> unanswered{};  // ended, and had no room for the answer
    };
    struct Job {
        enum class State : std::uint8_t { free, queued, working, answering, sending };
        State state = State::free;
        Guest* guest = nullptr;  // null: it has gone
        messaging::Channel* channel = nullptr;
        std::uint32_t token = 0;
        std::uint64_t tag = 0;
        abi::block::Kind kind{};
        abi::block::Request request{};
        const std::byte* inline_data = nullptr;  // behind the request
        std::uint64_t bytes = 0;                 // of the disk
        std::uint64_t done = 0;                  // of these
        std::byte* data = nullptr;  // which it moves: a chunk, the host's, or the message's
        std::uint32_t chunk = Chunks::kNone;
        Host* chunk_of = nullptr;  // with a chunk: on whose account
        bool owes = false;         // counted in the guest's `owed`
        client::Reached reached{};
        int error = 0;
        std::vector<abi::block::Extent> extents{};
    };
    enum class Found : std::uint8_t { yes, no_room };
    // What a turn came to: a part is done, all that there is to begin has begun, or nothing.
    enum class Begun : std::uint8_t { part, whole, nothing };

    BlockUnit(UnitTerms terms, Image& image) noexcept : terms_(std::move(terms)), image_(image) {}

    // ---- unit.cpp: hosts come and go
    void opened(messaging::Channel& channel) noexcept override;
    void message(messaging::Channel& channel, const messaging::Message& message) noexcept override;
    void sent(messaging::Channel& channel, std::uint64_t cookie) noexcept override;
    void ended(messaging::Channel& channel) noexcept override;
    [[nodiscard]] Host& host_named(const std::string& name);
    void admit(Guest& guest, const messaging::Message& message) noexcept;
    [[nodiscard]] int judge(Guest& guest, std::uint32_t access, std::string& why);
    void refuse(Guest& guest, int error, const std::string& why) noexcept;
    void welcome(Guest& guest) noexcept;

    // ---- jobs.cpp: requests
    void enqueue(Guest& guest, const messaging::Message& message) noexcept;
    [[nodiscard]] int check(const Guest& guest, Job& job, std::uint32_t length) const noexcept;
    [[nodiscard]] bool dispatch() noexcept;
    void postpone(std::uint32_t number) noexcept;
    void queue_postponed() noexcept;
    [[nodiscard]] Begun begin(const FairQueue::Turn& turn, std::uint64_t& spent) noexcept;
    [[nodiscard]] Found find_memory(Job& job) noexcept;
    [[nodiscard]] bool take_chunk(Job& job) noexcept;
    void give_chunk(Job& job) noexcept;
    void settle_debt(Job& job) noexcept;
    void finish(std::uint32_t number, int error) noexcept;
    [[nodiscard]] bool answer(std::uint32_t number) noexcept;
    [[nodiscard]] bool answer_late() noexcept;
    [[nodiscard]] ErrorCode send_chunk(std::uint32_t number) noexcept;
    [[nodiscard]] ErrorCode send_done(const Job& job) noexcept;
    void count(Job& job) noexcept;
    [[nodiscard]] std::uint32_t take_job() noexcept;
    void free_job(std::uint32_t number) noexcept;
    void forget(std::uint32_t number) noexcept;

    UnitTerms terms_;
    Image& image_;
    std::uint64_t run_ = 0;  // Opened::unit
    std::unique_ptr<messaging::Service> service_;
    Chunks chunks_;
    std::unique_ptr<Device> device_;
    FairQueue queue_;
    std::deque<Job> jobs_;  // which do not move: the device writes to their extents
    std::vector<std::uint32_t> free_jobs_;
    std::size_t postponed_ = 0;   // of all guests
    std::size_t unanswered_ = 0;  // likewise
    std::vector<std::unique_ptr<Host>> hosts_;
    std::vector<std::unique_ptr<Guest>> guests_;
    std::uint64_t now_ns_ = 0;
};

}  // namespace causeway::io::block
