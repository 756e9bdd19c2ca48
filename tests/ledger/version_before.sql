BEGIN TRANSACTION;
CREATE TABLE events (
	id INTEGER NOT NULL, 
	at FLOAT NOT NULL, 
	kind VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	body JSON NOT NULL, 
	seal VARCHAR DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "events" VALUES(1,1790000000.25,'controller_started','controller','{"epoch": 1000, "slots": {"n0/cpu0": "train", "n0/cpu1": null}}','a1ad640f');
INSERT INTO "events" VALUES(2,1790000010.75,'allocation','pool','{"epoch": 1001, "slots": {"n0/cpu0": "train", "n0/cpu1": "rank"}, "reasons": ["floor"]}','b6df8c95');
INSERT INTO "events" VALUES(3,1790000021.25,'move','n0/cpu1','{"move": 1, "reason": "it\u2019s worth more", "gain_usd_per_s": 1.5e-06}','9337c7ed');
INSERT INTO "events" VALUES(4,1790000031.75,'move','n0/cpu1','{"move": 2, "reason": "it\u2019s worth more", "gain_usd_per_s": 3e-06}','c4e1e895');
INSERT INTO "events" VALUES(5,1790000042.25,'alarm','hold','{"text": "no report from the gateway for 4 s: allocation held"}','e99e3d3d');
CREATE INDEX events_by_kind ON events (kind, id);
COMMIT;
