// Loads the library as CMSSW does and replays test vectors:  ./replay ./MODEL INPUT.txt OUTPUT.txt
//
// Ends with 0 if every number comes out as it stands in the file, else with 1.
#if __has_include("hls4ml/emulator.h")
#include "hls4ml/emulator.h"
#elif __has_include("emulator.h")
#include "emulator.h"
#else
#include "hls4ml_emulator.h"
#endif

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "types.h"

namespace {

// The next line that is no remark.
bool next(std::ifstream &file, std::istringstream &codes) {
    std::string line;
    while (std::getline(file, line))
        if (!line.empty() && line[0] != '#') {
            codes.clear();
            codes.str(line);
            return true;
        }
    return false;
}

void *find(void *library, const char *name) {
    void *symbol = dlsym(library, name);
    if (!symbol) {
        std::fprintf(stderr, "replay: %s\n", dlerror());
        std::exit(1);
    }
    return symbol;
}

}  // namespace

int main(int count, char **arguments) {
    if (count != 4) {
        std::fprintf(stderr, "usage: %s ./MODEL INPUT.txt OUTPUT.txt\n", arguments[0]);
        return 1;
    }
    void *library = dlopen((std::string(arguments[1]) + ".so").c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (!library) {
        std::fprintf(stderr, "replay: %s\n", dlerror());
        return 1;
    }
    auto create = (hls4mlEmulator::Model * (*)()) find(library, "create_model");
    auto destroy = (void (*)(hls4mlEmulator::Model *))find(library, "destroy_model");
    hls4mlEmulator::Model *model = create();
    std::ifstream inputs(arguments[2]), outputs(arguments[3]);
    std::istringstream input, output;
    unsigned long events = 0, wrong = 0;
    while (next(inputs, input) && next(outputs, output)) {
        double x[N_INPUT], y[N_OUTPUT];
        for (int i = 0; i < N_INPUT; ++i) {
            input >> x[i];
            x[i] *= INPUT_UNITS[i];
        }
        model->prepare_input(static_cast<double *>(x));
        model->predict();
        model->read_result(static_cast<double *>(y));
        bool equal = true;
        for (int i = 0; i < N_OUTPUT; ++i) {
            double expected = 0;
            output >> expected;
            equal = equal && y[i] == expected * OUTPUT_UNIT;
        }
        wrong += !equal;
        ++events;
    }
    destroy(model);
    dlclose(library);
    std::printf("%lu events through the interface of CMSSW, %lu differ\n", events, wrong);
    return events && !wrong ? 0 : 1;
}
