using StableTune.Loading;


// One measurement a process, so that start-up and peak memory belong to it alone. benchmarks/data-sets.sh and tagging.sh run them.
//   photographs FOLDER COUNT      writes JPEGs of two megapixels, with captions
//   many FOLDER COUNT             writes small files with the headers of photographs, with captions
//   plain FOLDER                  what a plain chain of calls to Skia costs: the measure of the lines below
//   load FOLDER WORKERS           the data set through the loader to tensors of 512x512; add "fast" for reduced decoding
//   stages FOLDER                 the shortest time of each stage, for the first photographs
//   cached FOLDER                 the same with latents in memory
//   captions FOLDER SIZE BATCH WORKERS   describes them with a BLIP of random weights: tiny, base or large
//   tagger FOLDER                 writes a stand-in for a WD14 tagger
//   tag MODEL FOLDER BATCH TURNS  tagging of photographs beside the network alone
//   scan FOLDER                   finds, reads headers and captions, and chooses sizes
switch (args)
{
    case ["photographs", var folder, var count]: Photographs.Write(folder, int.Parse(count)); break;
    case ["many", var folder, var count]: Photographs.WriteHeaders(folder, int.Parse(count)); break;
    case ["plain", var folder]: ImageSpeed.Plain(folder); break;
    case ["load", var folder, var workers]: ImageSpeed.Loader(folder, int.Parse(workers), fast: false); break;
    case ["load", var folder, var workers, "fast"]: ImageSpeed.Loader(folder, int.Parse(workers), fast: true); break;
    case ["stages", var folder]: ImageSpeed.Stages(folder); break;
    case ["cached", var folder]: CachedSpeed.Run(folder); break;
    case ["captions", var folder, var size, var batch, var workers]:
        CaptionSpeed.Run(folder, size, int.Parse(batch), int.Parse(workers));
        break;
    case ["tagger", var folder]: TaggingSpeed.WriteModel(folder); break;
    case ["tag", var model, var folder, var batch, var turns]:
        TaggingSpeed.Run(model, folder, int.Parse(batch), int.Parse(turns));
        break;
    case ["scan", var folder]: ScanSpeed.Run(folder); break;
    default: Console.Error.WriteLine("see benchmarks/StableTune.Loading/Program.cs"); return 2;
}

return 0;
