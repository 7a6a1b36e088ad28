// Draws the eight pictures of frogs that samples train on, with their captions:
//     dotnet run --project samples/DrawFrogs -- "samples/Shared/images/5_sls frog"
// Or the icon of the packages:
//     dotnet run --project samples/DrawFrogs -- --icon nuget/icon.png
using StableTune.Imaging;

const int side = 128;
if (args is ["--icon", var icon])
{
    var canvas = new Canvas(side, side, PixelColor.FromRgb(0x1F2A44));
    canvas.FillEllipse(side / 2.0, side / 2.0, 58, 58, PixelColor.FromRgb(0xF2CF4A));
    new Frog(64, 65, 0.98, Gaze: 0.6).Draw(canvas, shadow: PixelColor.FromRgb(0xD1AE33));
    ImageFile.SavePng(icon, canvas.Image);
    Console.WriteLine(Path.GetFullPath(icon));
    return;
}

var folder = args.Length > 0 ? args[0] : "images";
(string Name, int Color, Frog Frog)[] pictures =
[
    ("red", 0xD94F4F, new(64, 64, 1)),
    ("blue", 0x4A7FD6, new(60, 68, 0.92, Gaze: 1)),
    ("yellow", 0xF2CF4A, new(68, 62, 1.04, Gaze: -1)),
    ("purple", 0x8F62C9, new(64, 68, 0.9, Winks: true)),
    ("orange", 0xEE8F3C, new(62, 64, 1, OpenMouth: true)),
    ("white", 0xF5F3EC, new(67, 66, 0.96, Gaze: 0.6)),
    ("pink", 0xF2A7C3, new(64, 62, 1.08)),
    ("teal", 0x3AA6A0, new(58, 68, 0.88, Gaze: 0.8, OpenMouth: true)),
];
foreach (var (name, color, frog) in pictures)
{
    var background = PixelColor.FromRgb(color);
    var canvas = new Canvas(side, side, background);
    frog.Draw(canvas, shadow: new((byte)(background.R * 0.8), (byte)(background.G * 0.8), (byte)(background.B * 0.8)));
    ImageFile.SavePng(Path.Combine(folder, $"frog-{name}.png"), canvas.Image);
    File.WriteAllText(Path.Combine(folder, $"frog-{name}.txt"), $"sls frog on {(name == "orange" ? "an" : "a")} {name} background\n");
}

Console.WriteLine($"{pictures.Length} pictures in {Path.GetFullPath(folder)}");
