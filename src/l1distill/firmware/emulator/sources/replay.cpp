// Replays test vectors through the emulator:  ./replay INPUT.txt OUTPUT.txt
//
// Ends with 0 if every number comes out as it stands in the file, with 1 if one does not, with 2
// if the files are no vectors of this firmware.
#include "l1distill_emulator.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace {

bool refuse(const std::string &what) {
    std::fprintf(stderr, "replay: %s\n", what.c_str());
    return false;
}

// Reads rows of integers; a line that begins with # is a remark.
bool read(const char *path, int columns, std::vector<int64_t> &codes) {
    std::ifstream file(path);
    if (!file) return refuse(std::string(path) + ": cannot be read");
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
        if (!line.empty() && line[0] == '#') continue;
        const char *at = line.c_str();
        int found = 0;
        for (;; ++found) {
            char *end;
            errno = 0;
            const long long code = std::strtoll(at, &end, 10);
            if (end == at) break;
            if (errno) return refuse(std::string(path) + ": a number is too large");
            codes.push_back(code);
            at = end;
        }
        while (*at == ' ' || *at == '\r') ++at;
        if (*at || found != columns)
            return refuse(std::string(path) + ": line " + std::to_string(number) + " holds no " +
                          std::to_string(columns) + " integers");
    }
    if (file.bad()) return refuse(std::string(path) + ": cannot be read to its end");
    return true;
}

}  // namespace

int main(int count, char **arguments) {
    if (count != 3) {
        std::fprintf(stderr, "usage: %s INPUT.txt OUTPUT.txt\n", arguments[0]);
        return 2;
    }
    const int inputs = l1distill_inputs(), outputs = l1distill_outputs();
    std::vector<int64_t> x, expected;
    if (!read(arguments[1], inputs, x) || !read(arguments[2], outputs, expected)) return 2;
    const size_t events = x.size() / inputs;
    if (events == 0 || expected.size() / outputs != events) {
        std::fprintf(stderr, "replay: %lu events in, %lu events out\n", (unsigned long)events,
                     (unsigned long)(expected.size() / outputs));
        return 2;
    }

    // Both ways in: as codes, and as the real numbers that they stand for.
    std::vector<double> real(x.size()), score(expected.size());
    for (size_t i = 0; i < x.size(); ++i)
        real[i] = double(x[i]) * l1distill_input_unit(int(i % inputs));
    std::vector<int64_t> code(expected.size());
    l1distill_predict_codes(x.data(), code.data(), events);
    l1distill_predict(real.data(), score.data(), events);

    unsigned long wrong = 0;
    for (size_t event = 0; event < events; ++event) {
        bool equal = true;
        for (int i = 0; i < outputs && equal; ++i) {
            const size_t at = event * outputs + i;
            const double value = double(expected[at]) * l1distill_output_unit();
            equal = code[at] == expected[at] && score[at] == value;
            if (!equal && wrong == 0)
                std::printf("event %lu, output %d: %lld (%.17g) instead of %lld (%.17g)",
                            (unsigned long)event, i, (long long)code[at], score[at],
                            (long long)expected[at], value);
        }
        wrong += !equal;
    }
    if (wrong) {
        std::printf("; %lu of %lu events differ\n", wrong, (unsigned long)events);
        return 1;
    }
    std::printf("%lu events of %d inputs and %d outputs: all equal\n", (unsigned long)events,
                inputs, outputs);
    return 0;
}
