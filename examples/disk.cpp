// A disk that another partition serves: written and made durable with calls that wait, then read
// with several requests at once, straight into registered memory.
//
// Needs a running adapter (`causewayd --runtime-dir DIR`), CAUSEWAY_SOCKET=DIR/fabric.sock, and a
// disk of at least 1 MiB (`causeway unit block --attach storage --file disk.img`).
#include <causeway/block.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

using causeway::Access;
using causeway::Partition;
namespace block = causeway::block;

constexpr std::uint32_t kPiece = 64 << 10;
constexpr std::uint32_t kPieces = 16;

int run(Partition& partition, const std::string& name) {
    auto disk = block::Disk::open(partition, name).value();
    const cw_disk_info info = disk.info();
    std::printf("%s has %llu bytes%s\n", name.c_str(), static_cast<unsigned long long>(info.bytes),
                info.in_place ? ", and reaches this program's buffers itself" : "");

    // Any memory will do where calls wait: it is copied on the way.
    std::string text(std::size_t{kPiece} * kPieces, 'x');
    for (std::uint32_t i = 0; i < kPieces; ++i)
        std::memcpy(&text[std::size_t{i} * kPiece], &i, sizeof i);
    int error = disk.write(0, std::as_bytes(std::span(text))).value();
    if (error == 0)
        error = disk.flush().value();
    if (error != 0) {
        std::fprintf(stderr, "disk: writing: %s\n", std::strerror(error));
        return EXIT_FAILURE;
    }

    // Registered memory is filled where it lies, in whatever order the device likes.
    constexpr Access kBuffer = Access::remote_read | Access::remote_write | Access::exportable;
    auto memory = partition.allocate(std::size_t{kPiece} * kPieces, kBuffer).value();
    for (std::uint32_t i = 0; i < kPieces; ++i)
        disk.submit_read(std::uint64_t{i} * kPiece, memory.slice(i * kPiece, kPiece), i).value();
    std::uint32_t right = 0;
    for (std::uint32_t ended = 0; ended < kPieces;) {
        for (const block::Outcome& outcome : disk.poll().value()) {
            ++ended;
            std::uint32_t number = 0;
            std::memcpy(&number, memory.data() + outcome.user * kPiece, sizeof number);
            right += outcome.error == 0 && number == outcome.user ? 1 : 0;
        }
    }
    std::printf("%u of %u pieces are as they were written\n", right, kPieces);
    return right == kPieces ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
    auto partition = Partition::attach("disk-example");
    if (!partition) {
        std::fprintf(stderr, "disk: %s\n", partition.error().text.c_str());
        return EXIT_FAILURE;
    }
    try {
        return run(*partition, argc > 1 ? argv[1] : "storage/disk0");
    } catch (const causeway::BadResult& error) {
        std::fprintf(stderr, "disk: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
