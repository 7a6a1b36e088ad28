// The part of OpenCV that StableTune.Imaging needs, as a few C functions. Every picture crosses the border as packed
// RGB or RGBA rows of 8 bits; OpenCV's own order (BGR) stays inside, but for stim_decode_bgr. No exception crosses the border: a function
// returns 0 when it worked, and otherwise stim_error() tells why, per thread.
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

void keepPictureMemory();   // picture_memory.cpp

namespace {

thread_local std::string lastError;

template <typename Body>
int guarded(Body body) noexcept {
    try {
        body();
        return 0;
    } catch (const cv::Exception& e) {
        lastError = e.err.empty() ? e.what() : e.err;
    } catch (const std::bad_alloc&) {
        lastError = "out of memory";
    } catch (const std::exception& e) {
        lastError = e.what();
    } catch (...) {
        lastError = "unknown error";
    }
    return 1;
}

// Without this, OpenCV prints each caught exception to stderr, as if the program had failed.
int silentErrors(int, const char*, const char*, const char*, int, void*) { return 0; }

// Grey pictures above 8 bits are clipped, all others keep their high byte: what the reference's loader does.
cv::Mat toEightBits(const cv::Mat& picture) {
    if (picture.depth() == CV_8U) return picture;
    if (picture.depth() != CV_16U) CV_Error(cv::Error::StsUnsupportedFormat, "only 8 and 16 bits per channel are supported");
    cv::Mat result;
    if (picture.channels() == 1) {
        picture.convertTo(result, CV_8U);   // saturates
        return result;
    }
    result.create(picture.size(), CV_8UC(picture.channels()));
    for (int y = 0; y < picture.rows; y++) {
        const uint16_t* from = picture.ptr<uint16_t>(y);
        uint8_t* to = result.ptr<uint8_t>(y);
        for (int i = 0; i < picture.cols * picture.channels(); i++) to[i] = static_cast<uint8_t>(from[i] >> 8);
    }
    return result;
}

int colourCode(int from, int to) {
    if (to == 3) return from == 1 ? cv::COLOR_GRAY2RGB : from == 3 ? cv::COLOR_BGR2RGB : cv::COLOR_BGRA2RGB;
    return from == 1 ? cv::COLOR_GRAY2RGBA : from == 3 ? cv::COLOR_BGR2RGBA : cv::COLOR_BGRA2RGBA;
}

}  // namespace

EXPORT const char* stim_error() { return lastError.c_str(); }

// Called once: pictures are decoded on many threads already, so OpenCV's own pool would only get in the way.
EXPORT const char* stim_initialise() {
    cv::setNumThreads(1);
    keepPictureMemory();
    cv::redirectError(silentErrors);
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    return CV_VERSION;
}

// Decodes a whole file into `pixels`, width x height x channels (3 RGB, 4 RGBA), which the caller sized from the header.
// Fails when the decoder's idea of the size is another one. EXIF orientation is not applied.
EXPORT int stim_decode(const uint8_t* file, int64_t length, int width, int height, int channels, int unchanged, uint8_t* pixels) {
    return guarded([&] {
        if (length > INT32_MAX) CV_Error(cv::Error::StsOutOfRange, "files of 2 GiB and more are not supported");
        const cv::Mat bytes(1, static_cast<int>(length), CV_8UC1, const_cast<uint8_t*>(file));
        const int flags = unchanged ? cv::IMREAD_UNCHANGED : cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION;
        const cv::Mat decoded = cv::imdecode(bytes, flags);
        if (decoded.empty()) CV_Error(cv::Error::StsParseError, "the decoder gave up");
        if (decoded.cols != width || decoded.rows != height)
            CV_Error(cv::Error::StsUnmatchedSizes, cv::format("the header says %dx%d, the decoder %dx%d", width, height, decoded.cols, decoded.rows));
        cv::Mat target(height, width, CV_8UC(channels), pixels);
        const cv::Mat eightBits = toEightBits(decoded);
        cv::cvtColor(eightBits, target, colourCode(eightBits.channels(), channels));
        if (target.data != pixels) CV_Error(cv::Error::StsInternal, "the picture was moved while its colours were converted");
    });
}

// As stim_decode, into memory of this library: three channels of 8 bits in OpenCV's order; free it with stim_free_picture. A JPEG may be decoded at
// a half, a fourth or an eighth of its size (`denominator`; 1 otherwise); width and height are then the smaller ones, rounded up.
EXPORT int stim_decode_bgr(const uint8_t* file, int64_t length, int width, int height, int denominator, void** picture, const uint8_t** pixels) {
    return guarded([&] {
        if (length > INT32_MAX) CV_Error(cv::Error::StsOutOfRange, "files of 2 GiB and more are not supported");
        const cv::Mat bytes(1, static_cast<int>(length), CV_8UC1, const_cast<uint8_t*>(file));
        const int flags = denominator == 8 ? cv::IMREAD_REDUCED_COLOR_8 : denominator == 4 ? cv::IMREAD_REDUCED_COLOR_4
            : denominator == 2 ? cv::IMREAD_REDUCED_COLOR_2 : cv::IMREAD_COLOR;
        // Not with memory of the caller: imdecode does not tell then whether it failed.
        const cv::Mat decoded = cv::imdecode(bytes, flags | cv::IMREAD_IGNORE_ORIENTATION);
        if (decoded.empty()) CV_Error(cv::Error::StsParseError, "the decoder gave up");
        if (decoded.cols != width || decoded.rows != height)
            CV_Error(cv::Error::StsUnmatchedSizes, cv::format("the header says %dx%d, the decoder %dx%d", width, height, decoded.cols, decoded.rows));
        if (decoded.type() != CV_8UC3 || !decoded.isContinuous()) CV_Error(cv::Error::StsInternal, "the decoder gave another kind of picture");
        *picture = new cv::Mat(decoded);
        *pixels = decoded.data;
    });
}

EXPORT void stim_free_picture(void* picture) { delete static_cast<cv::Mat*>(picture); }

// Encodes into memory owned by this library; free it with stim_free. format: ".png" or ".jpg"; quality: JPEG's, 1 to 100.
EXPORT int stim_encode(const uint8_t* pixels, int width, int height, int channels, const char* format, int quality,
                       uint8_t** result, int64_t* length) {
    return guarded([&] {
        const cv::Mat source(height, width, CV_8UC(channels), const_cast<uint8_t*>(pixels));
        const bool png = std::strcmp(format, ".png") == 0;
        cv::Mat swapped;
        cv::cvtColor(source, swapped, channels == 3 ? cv::COLOR_RGB2BGR : png ? cv::COLOR_RGBA2BGRA : cv::COLOR_RGBA2BGR);
        std::vector<int> parameters;
        if (png) parameters = {cv::IMWRITE_PNG_COMPRESSION, 6};
        else parameters = {cv::IMWRITE_JPEG_QUALITY, quality};
        std::vector<uchar> buffer;
        if (!cv::imencode(format, swapped, buffer, parameters)) CV_Error(cv::Error::StsError, "the encoder gave up");
        *result = new uint8_t[buffer.size()];
        std::memcpy(*result, buffer.data(), buffer.size());
        *length = static_cast<int64_t>(buffer.size());
    });
}

EXPORT void stim_free(uint8_t* memory) { delete[] memory; }

// method: 0 bilinear, 1 bicubic, 2 area. The order of the colours does not matter here.
EXPORT int stim_resize(const uint8_t* pixels, int width, int height, int channels, int method, uint8_t* result, int newWidth, int newHeight) {
    return guarded([&] {
        static const int methods[] = {cv::INTER_LINEAR, cv::INTER_CUBIC, cv::INTER_AREA};
        if (method < 0 || method > 2) CV_Error(cv::Error::StsBadArg, cv::format("unknown method %d", method));
        const cv::Mat source(height, width, CV_8UC(channels), const_cast<uint8_t*>(pixels));
        cv::Mat target(newHeight, newWidth, CV_8UC(channels), result);
        cv::resize(source, target, target.size(), 0, 0, methods[method]);
    });
}

// The edges of the grey picture, by Canny with the 3x3 Sobel operator: 255 on edges and 0 elsewhere, in three equal channels.
EXPORT int stim_canny(const uint8_t* pixels, int width, int height, int channels, double low, double high, uint8_t* result) {
    return guarded([&] {
        const cv::Mat source(height, width, CV_8UC(channels), const_cast<uint8_t*>(pixels));
        cv::Mat grey, edges;
        cv::cvtColor(source, grey, channels == 3 ? cv::COLOR_RGB2GRAY : cv::COLOR_RGBA2GRAY);
        cv::Canny(grey, edges, low, high);
        cv::Mat target(height, width, CV_8UC3, result);
        cv::cvtColor(edges, target, cv::COLOR_GRAY2RGB);
        if (target.data != result) CV_Error(cv::Error::StsInternal, "the picture was moved while its edges were written");
    });
}
